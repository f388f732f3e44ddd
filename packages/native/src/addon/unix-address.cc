#include "unix-address.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace pcikit {

SocketFolder::~SocketFolder () {
  if (fd_ >= 0) close(fd_);
}

int SocketFolder::Open (const std::string& path) {
  const size_t slash = path.rfind('/');
  prefix_ = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name_.empty() || name_ == "." || name_ == "..") return EINVAL;
  fd_ = open(prefix_.empty() ? "." : prefix_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return fd_ < 0 ? errno : 0;
}

int SocketFolder::Address (const std::string& name, sockaddr_un* address, socklen_t* length) const {
  std::string path = prefix_ + name;
  if (path.size() >= sizeof address->sun_path) path = "/proc/self/fd/" + std::to_string(fd_) + "/" + name;
  if (path.size() >= sizeof address->sun_path) return ENAMETOOLONG;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return 0;
}

int SocketFolder::Take () {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

}  // namespace pcikit
