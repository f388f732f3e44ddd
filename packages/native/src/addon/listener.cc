#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "modules.h"
#include "unix-address.h"
#include "watcher.h"

namespace pcikit {

namespace {

constexpr unsigned kRenameNoReplace = 1;

/** A listening socket, and the file that names it while it listens. */
class Listener : public Watched {
 public:
  static napi_value New (napi_env env, napi_callback_info info);
  static napi_value Accept (napi_env env, napi_callback_info info);
  static napi_value OnReadable (napi_env env, napi_callback_info info);
  static napi_value SetReferenced (napi_env env, napi_callback_info info);
  static napi_value Close (napi_env env, napi_callback_info info);

 private:
  Listener () : Watched(-1) {}
  ~Listener () { CloseAll(); }

  int Start (const std::string& path, mode_t mode, int backlog, bool replace);
  int Bind (mode_t mode);
  int Publish (bool replace);
  void CloseAll ();

  SocketFolder folder_;
  /** The name that the socket has in its folder now; empty when it has none. */
  std::string name_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

napi_value Listener::New (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::string path;
  int64_t mode = 0;
  int64_t backlog = 0;
  bool replace = false;
  if (!call.ReadString(0, "The path", &path) || !call.ReadInteger(1, "The mode", 0, 0777, &mode) ||
      !call.ReadInteger(2, "The backlog", 0, 65535, &backlog) || !call.ReadBoolean(3, "replace", &replace)) {
    return nullptr;
  }
  auto* listener = new Listener();
  const int error = listener->Start(path, static_cast<mode_t>(mode), static_cast<int>(backlog), replace);
  if (error != 0) {
    delete listener;
    return ThrowErrno(env, error, "listen", path.c_str());
  }
  const auto finalize = [] (napi_env, void* data, void*) { delete static_cast<Listener*>(data); };
  if (napi_wrap(env, call.self(), listener, finalize, nullptr, nullptr) != napi_ok) delete listener;
  return nullptr;
}

/** Binds under a temporary name, listens, and only then gives the socket its name: who sees it can connect. */
int Listener::Start (const std::string& path, mode_t mode, int backlog, bool replace) {
  int error = folder_.Open(path);
  // The name that clients will give must fit as well as the temporary one.
  sockaddr_un address;
  socklen_t length = 0;
  if (error == 0) error = folder_.Address(folder_.name(), &address, &length);
  if (error != 0) return error;
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  error = Bind(mode);
  if (error != 0) return error;
  if (listen(fd_, backlog) != 0) return errno;
  return Publish(replace);
}

int Listener::Bind (mode_t mode) {
  // The file inherits the mode of the socket's own inode, less the umask: it is never wider than asked, not even
  // before the second chmod.
  if (fchmod(fd_, mode) != 0) return errno;
  for (int attempt = 0; attempt < 16; attempt += 1) {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) < 0) return errno;
    char name[40];
    snprintf(name, sizeof name, ".pcikit-%016llx", static_cast<unsigned long long>(number));
    sockaddr_un address;
    socklen_t length = 0;
    const int error = folder_.Address(name, &address, &length);
    if (error != 0) return error;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), length) == 0) {
      name_ = name;
      break;
    }
    if (errno != EADDRINUSE) return errno;
  }
  if (name_.empty()) return EADDRINUSE;
  if (fchmodat(folder_.fd(), name_.c_str(), mode, 0) != 0) return errno;
  struct stat status;
  if (fstatat(folder_.fd(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return 0;
}

int Listener::Publish (bool replace) {
  const char* source = name_.c_str();
  const char* target = folder_.name().c_str();
  const int folder = folder_.fd();
  if (replace) {
    if (renameat(folder, source, folder, target) != 0) return errno;
    name_ = folder_.name();
    return 0;
  }
  long result = syscall(SYS_renameat2, folder, source, folder, target, kRenameNoReplace);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    // A file system without that flag: a second link, which fails in the same way when the name exists.
    result = linkat(folder, source, folder, target, 0);
    if (result == 0) unlinkat(folder, source, 0);
  }
  if (result != 0) return errno == EEXIST ? EADDRINUSE : errno;
  name_ = folder_.name();
  return 0;
}

/** The file goes before the socket, so that no moment shows a name that refuses connections. */
void Listener::CloseAll () {
  CloseWatcher();
  struct stat status;
  if (!name_.empty() && fstatat(folder_.fd(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      status.st_dev == device_ && status.st_ino == inode_) {
    unlinkat(folder_.fd(), name_.c_str(), 0);
  }
  name_.clear();
  const int folder = folder_.Take();
  if (folder >= 0) close(folder);
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

/** accept(): the descriptor of the next connection, or a negative errno. */
napi_value Listener::Accept (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* listener = call.Self<Listener>();
  if (listener == nullptr) return nullptr;
  if (listener->fd_ < 0) return Integer(env, -EBADF);
  int fd = -1;
  do {
    fd = accept4(listener->fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return Integer(env, fd < 0 ? -errno : fd);
}

napi_value Listener::OnReadable (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* listener = call.Self<Listener>();
  return listener == nullptr ? nullptr : listener->SetCallback(call, Watcher::kReadable, "PcikitListener");
}

napi_value Listener::SetReferenced (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* listener = call.Self<Listener>();
  bool referenced = true;
  if (listener == nullptr || !call.ReadBoolean(0, "Whether to keep the process running", &referenced)) return nullptr;
  listener->Watched::SetReferenced(referenced);
  return nullptr;
}

napi_value Listener::Close (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* listener = call.Self<Listener>();
  if (listener != nullptr) listener->CloseAll();
  return nullptr;
}

}  // namespace

void ExportListener (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("accept", Listener::Accept),
      Method("onReadable", Listener::OnReadable),
      Method("setReferenced", Listener::SetReferenced),
      Method("close", Listener::Close),
  };
  ExportClass(env, exports, "Listener", Listener::New, std::size(properties), properties);
}

}  // namespace pcikit
