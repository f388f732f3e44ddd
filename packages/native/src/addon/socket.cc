#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "modules.h"
#include "unix-address.h"
#include "watcher.h"

namespace pcikit {

namespace {

/** SCM_MAX_FD of the kernel: more descriptors than this never travel with one message. */
constexpr size_t kDescriptorsMax = 253;

/** Where the result of the last receive stands in the array that JavaScript shares. */
enum ReceivedSlot { kCount = 0, kTruncated = 1, kFirstDescriptor = 2 };
constexpr size_t kReceivedSlots = kFirstDescriptor + kDescriptorsMax;

union ControlBuffer {
  cmsghdr header;
  char bytes[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
};

/** A connected stream socket of the UNIX family. It owns its descriptor. */
class Socket : public Watched {
 public:
  static napi_value New (napi_env env, napi_callback_info info);
  static napi_value Receive (napi_env env, napi_callback_info info);
  static napi_value Send (napi_env env, napi_callback_info info);
  static napi_value SendParts (napi_env env, napi_callback_info info);
  static napi_value OnReadable (napi_env env, napi_callback_info info);
  static napi_value OnWritable (napi_env env, napi_callback_info info);
  static napi_value SetReferenced (napi_env env, napi_callback_info info);
  static napi_value Shutdown (napi_env env, napi_callback_info info);
  static napi_value Close (napi_env env, napi_callback_info info);

 private:
  Socket (int fd, int32_t* received) : Watched(fd), received_(received) {}
  ~Socket () { CloseAll(); }

  void CloseAll () {
    CloseWatcher();
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  void StoreDescriptors (msghdr* message);
  napi_value SendVector (const Call& call, iovec* parts, size_t part_count, size_t fds_index);

  int32_t* received_;
};

/** Checks that the descriptor is a UNIX stream socket, and makes it non-blocking; returns 0 or an errno. */
int PrepareSocket (int fd) {
  int domain = 0;
  int type = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return errno;
  length = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return errno;
  if (domain != AF_UNIX || type != SOCK_STREAM) return EPROTOTYPE;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return errno;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ? errno : 0;
}

napi_value Socket::New (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  const int error = PrepareSocket(fd);
  if (error != 0) return ThrowErrno(env, error, "getsockopt");
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value received = nullptr;
  if (napi_create_arraybuffer(env, kReceivedSlots * sizeof(int32_t), &memory, &buffer) != napi_ok) return nullptr;
  if (napi_create_typedarray(env, napi_int32_array, kReceivedSlots, buffer, 0, &received) != napi_ok) return nullptr;
  if (napi_set_named_property(env, call.self(), "received", received) != napi_ok) return nullptr;
  auto* socket = new Socket(fd, static_cast<int32_t*>(memory));
  const auto finalize = [] (napi_env, void* data, void*) { delete static_cast<Socket*>(data); };
  if (napi_wrap(env, call.self(), socket, finalize, nullptr, nullptr) == napi_ok) return nullptr;
  socket->fd_ = -1;
  delete socket;
  return nullptr;
}

/** Copies the descriptors of a received message into the shared array; what does not fit there is closed. */
void Socket::StoreDescriptors (msghdr* message) {
  size_t count = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t bytes = header->cmsg_len - CMSG_LEN(0);
    for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(header) + at, sizeof fd);
      if (count < kDescriptorsMax) received_[kFirstDescriptor + count++] = fd;
      else close(fd);
    }
  }
  received_[kCount] = static_cast<int32_t>(count);
  received_[kTruncated] = (message->msg_flags & MSG_CTRUNC) != 0 ? 1 : 0;
}

napi_value Socket::Receive (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  if (socket == nullptr) return nullptr;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!call.ReadBytes(0, "The target", &data, &length)) return nullptr;
  // A read of nothing would return 0, which means the end of the stream.
  if (length == 0) return ThrowRange(env, "The length to receive must be at least 1.");
  socket->received_[kCount] = 0;
  socket->received_[kTruncated] = 0;
  if (socket->fd_ < 0) return Integer(env, -EBADF);

  ControlBuffer control;
  iovec part = {data, length > INT_MAX ? INT_MAX : length};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t result = 0;
  do {
    result = recvmsg(socket->fd_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return Integer(env, -errno);
  if (message.msg_controllen != 0 || (message.msg_flags & MSG_CTRUNC) != 0) socket->StoreDescriptors(&message);
  return Integer(env, static_cast<int32_t>(result));
}

/** Reads the optional array of descriptors and puts it into the message's control data. */
bool ReadDescriptors (const Call& call, size_t index, ControlBuffer* control, msghdr* message) {
  napi_env env = call.env();
  if (call.IsUndefined(index)) return true;
  bool is_array = false;
  uint32_t count = 0;
  napi_is_array(env, call.argument(index), &is_array);
  if (!is_array) return ThrowType(env, "The descriptors must be an array of numbers.") != nullptr;
  napi_get_array_length(env, call.argument(index), &count);
  if (count == 0) return true;
  if (count > kDescriptorsMax) {
    return ThrowRange(env, "One message carries at most 253 descriptors.") != nullptr;
  }
  message->msg_control = control->bytes;
  message->msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (uint32_t at = 0; at < count; at += 1) {
    napi_value element = nullptr;
    int64_t value = 0;
    if (napi_get_element(env, call.argument(index), at, &element) != napi_ok) return false;
    if (!ReadIntegerValue(env, element, "A file descriptor", 0, INT_MAX, &value)) return false;
    const int fd = static_cast<int>(value);
    memcpy(CMSG_DATA(header) + at * sizeof fd, &fd, sizeof fd);
  }
  return true;
}

napi_value Socket::SendVector (const Call& call, iovec* parts, size_t part_count, size_t fds_index) {
  napi_env env = call.env();
  ControlBuffer control;
  memset(&control, 0, sizeof control.header);
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = part_count;
  if (!ReadDescriptors(call, fds_index, &control, &message)) return nullptr;
  size_t total = 0;
  for (size_t index = 0; index < part_count; index += 1) {
    if (parts[index].iov_len > INT_MAX - total) parts[index].iov_len = INT_MAX - total;
    total += parts[index].iov_len;
  }
  if (total == 0) {
    if (message.msg_controllen == 0) return Integer(env, 0);
    return ThrowRange(env, "Descriptors travel with data: the length to send must be at least 1.");
  }
  if (fd_ < 0) return Integer(env, -EBADF);
  ssize_t result = 0;
  do {
    result = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  return Integer(env, result < 0 ? -errno : static_cast<int32_t>(result));
}

napi_value Socket::Send (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  uint8_t* data = nullptr;
  size_t length = 0;
  if (socket == nullptr || !call.ReadBytes(0, "The source", &data, &length)) return nullptr;
  iovec part = {data, length};
  return socket->SendVector(call, &part, 1, 3);
}

napi_value Socket::SendParts (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  uint8_t* header = nullptr;
  uint8_t* payload = nullptr;
  size_t header_length = 0;
  size_t payload_length = 0;
  if (socket == nullptr || !call.ReadBytes(0, "The header", &header, &header_length)) return nullptr;
  if (!call.ReadBytes(3, "The payload", &payload, &payload_length)) return nullptr;
  iovec parts[2] = {{header, header_length}, {payload, payload_length}};
  return socket->SendVector(call, parts, 2, 6);
}

napi_value Socket::OnReadable (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  return socket == nullptr ? nullptr : socket->SetCallback(call, Watcher::kReadable, "PcikitSocket");
}

napi_value Socket::OnWritable (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  return socket == nullptr ? nullptr : socket->SetCallback(call, Watcher::kWritable, "PcikitSocket");
}

napi_value Socket::SetReferenced (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  bool referenced = true;
  if (socket == nullptr || !call.ReadBoolean(0, "Whether to keep the process running", &referenced)) return nullptr;
  socket->Watched::SetReferenced(referenced);
  return nullptr;
}

napi_value Socket::Shutdown (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  int64_t how = 0;
  if (socket == nullptr || !call.ReadInteger(0, "The direction", SHUT_RD, SHUT_RDWR, &how)) return nullptr;
  if (socket->fd_ < 0 || shutdown(socket->fd_, static_cast<int>(how)) == 0 || errno == ENOTCONN) return nullptr;
  return ThrowErrno(env, errno, "shutdown");
}

napi_value Socket::Close (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* socket = call.Self<Socket>();
  if (socket != nullptr) socket->CloseAll();
  return nullptr;
}

/** connectSocket(path): the descriptor of a connected socket. */
napi_value ConnectSocket (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::string path;
  if (!call.ReadString(0, "The path", &path)) return nullptr;
  SocketFolder folder;
  sockaddr_un address;
  socklen_t length = 0;
  int error = folder.Open(path);
  if (error == 0) error = folder.Address(folder.name(), &address, &length);
  if (error != 0) return ThrowErrno(env, error, "connect", path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ThrowErrno(env, errno, "socket");
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0) return Integer(env, fd);
  error = errno;
  close(fd);
  return ThrowErrno(env, error, "connect", path.c_str());
}

/** socketPair(): the descriptors of two sockets connected to each other. */
napi_value SocketPair (napi_env env, napi_callback_info) {
  int fds[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    return ThrowErrno(env, errno, "socketpair");
  }
  napi_value result = nullptr;
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, Integer(env, fds[0]));
  napi_set_element(env, result, 1, Integer(env, fds[1]));
  return result;
}

}  // namespace

void ExportSocket (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("receive", Socket::Receive),       Method("send", Socket::Send),
      Method("sendParts", Socket::SendParts),   Method("onReadable", Socket::OnReadable),
      Method("onWritable", Socket::OnWritable), Method("setReferenced", Socket::SetReferenced),
      Method("shutdown", Socket::Shutdown),     Method("close", Socket::Close),
  };
  ExportClass(env, exports, "Socket", Socket::New, std::size(properties), properties);
  ExportFunction(env, exports, "connectSocket", ConnectSocket);
  ExportFunction(env, exports, "socketPair", SocketPair);
}

}  // namespace pcikit
