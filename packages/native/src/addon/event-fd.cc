#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include "arguments.h"
#include "modules.h"

namespace pcikit {

namespace {

/** Makes the descriptor non-blocking if it is not; returns 0 or an errno. */
int EnsureNonBlocking (int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return errno;
  if ((flags & O_NONBLOCK) != 0) return 0;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : errno;
}

napi_value CreateEventFd (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int64_t initial = 0;
  if (!call.ReadInteger(0, "The initial count", 0, UINT_MAX, &initial)) return nullptr;
  const int fd = eventfd(static_cast<unsigned>(initial), EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? ThrowErrno(env, errno, "eventfd") : Integer(env, fd);
}

/** Whether the descriptor is an eventfd; true when this cannot be told because /proc is not there. */
bool IsEventFd (int fd) {
  char path[40];
  char target[40] = {};
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(path, target, sizeof target - 1);
  return length < 0 || strcmp(target, "anon_inode:[eventfd]") == 0;
}

napi_value AdoptEventFd (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  const int error = EnsureNonBlocking(fd);
  if (error != 0) return ThrowErrno(env, error, "fcntl");
  return IsEventFd(fd) ? nullptr : ThrowErrno(env, EINVAL, "eventfd");
}

/** signalEventFd(fd, value): 0, or a negative errno. */
napi_value SignalEventFd (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  int64_t value = 0;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(1, "The value", 0, kSafeIntegerMax, &value)) return nullptr;
  // The flag belongs to the open file, which a client shares: it may have cleared it since the descriptor was adopted,
  // and filled the counter, so that a write would wait for ever.
  const int error = EnsureNonBlocking(fd);
  if (error != 0) return Integer(env, -error);
  const auto count = static_cast<uint64_t>(value);
  ssize_t result = 0;
  do {
    result = write(fd, &count, sizeof count);
  } while (result < 0 && errno == EINTR);
  return Integer(env, result < 0 ? -errno : 0);
}

/** yieldProcessor() */
napi_value YieldProcessor (napi_env, napi_callback_info) {
  sched_yield();
  return nullptr;
}

/** readEventFd(fd): the count, which the read resets to zero, or a negative errno. */
napi_value ReadEventFd (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  const int error = EnsureNonBlocking(fd);
  if (error != 0) return Integer(env, -error);
  uint64_t count = 0;
  ssize_t result = 0;
  do {
    result = read(fd, &count, sizeof count);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return Integer(env, -errno);
  return result == sizeof count ? Number(env, static_cast<double>(count)) : Integer(env, -EINVAL);
}

}  // namespace

void ExportEventFd (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "createEventFd", CreateEventFd);
  ExportFunction(env, exports, "adoptEventFd", AdoptEventFd);
  ExportFunction(env, exports, "signalEventFd", SignalEventFd);
  ExportFunction(env, exports, "readEventFd", ReadEventFd);
  ExportFunction(env, exports, "yieldProcessor", YieldProcessor);
}

}  // namespace pcikit
