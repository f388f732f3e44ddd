#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "arguments.h"
#include "modules.h"
#include "thread-pool.h"

namespace pcikit {

namespace {

class DataSync : public PoolWork {
 public:
  explicit DataSync (int fd) : PoolWork("fdatasync"), fd_(fd) {}

 protected:
  int64_t Run () override {
    int result = 0;
    do {
      result = fdatasync(fd_);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
  }

 private:
  const int fd_;
};

class Allocation : public PoolWork {
 public:
  Allocation (int fd, int mode, off_t offset, off_t length)
      : PoolWork("fallocate"), fd_(fd), mode_(mode), offset_(offset), length_(length) {}

 protected:
  int64_t Run () override {
    int result = 0;
    do {
      result = fallocate(fd_, mode_, offset_, length_);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
  }

 private:
  const int fd_;
  const int mode_;
  const off_t offset_;
  const off_t length_;
};

napi_value SyncFileData (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  return PoolWork::Start(env, new DataSync(fd));
}

/** fileAllocate(fd, mode, offset, length) */
napi_value FileAllocate (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  int64_t mode = 0;
  int64_t offset = 0;
  int64_t length = 0;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(1, "The mode", 0, INT_MAX, &mode) ||
      !call.ReadInteger(2, "The offset", 0, kSafeIntegerMax, &offset) ||
      !call.ReadInteger(3, "The length", 1, kSafeIntegerMax, &length)) {
    return nullptr;
  }
  if (offset > kSafeIntegerMax - length) return ThrowRange(env, "The offset plus the length must be below 2^53.");
  return PoolWork::Start(
      env, new Allocation(fd, static_cast<int>(mode), static_cast<off_t>(offset), static_cast<off_t>(length)));
}

/** lockFile(fd, isExclusive): whether the lock was free. */
napi_value LockFile (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  bool exclusive = false;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadBoolean(1, "exclusive", &exclusive)) return nullptr;
  // Locks of the open file, not of the process: closing another descriptor of the same file does not drop them, and a
  // second opener in this process is refused too.
  struct flock lock = {};
  lock.l_type = exclusive ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return Boolean(env, true);
  if (errno == EAGAIN || errno == EACCES) return Boolean(env, false);
  return ThrowErrno(env, errno, "fcntl");
}

napi_value BlockDeviceSize (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  uint64_t bytes = 0;
  if (ioctl(fd, BLKGETSIZE64, &bytes) != 0) return ThrowErrno(env, errno, "ioctl");
  return Number(env, static_cast<double>(bytes));
}

}  // namespace

void ExportFileControl (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "syncFileData", SyncFileData);
  ExportFunction(env, exports, "fileAllocate", FileAllocate);
  ExportFunction(env, exports, "lockFile", LockFile);
  ExportFunction(env, exports, "blockDeviceSize", BlockDeviceSize);
}

}  // namespace pcikit
