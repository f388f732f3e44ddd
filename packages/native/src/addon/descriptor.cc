#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "arguments.h"
#include "modules.h"

namespace pcikit {

namespace {

napi_value CloseDescriptor (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  // Linux lets go of the descriptor also when close reports EINTR or an error of a late write.
  if (close(fd) != 0 && errno == EBADF) return ThrowErrno(env, EBADF, "close");
  return nullptr;
}

napi_value DuplicateDescriptor (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  const int result = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return result < 0 ? ThrowErrno(env, errno, "fcntl") : Integer(env, result);
}

const char* TypeName (mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFBLK: return "block";
    case S_IFCHR: return "character";
    case S_IFDIR: return "directory";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFLNK: return "link";
    default: return "anonymous";
  }
}

/** TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h. The kernel's own headers are not installed with every C library. */
constexpr uint32_t kMemoryFileSystems[] = {0x01021994, 0x858458f6};

/** Whether a file is nowhere but in memory. */
bool IsInMemory (int fd, mode_t mode) {
  struct statfs status;
  // The file system of a device node says nothing about the device.
  if (!S_ISREG(mode) || fstatfs(fd, &status) != 0) return false;
  for (const uint32_t type : kMemoryFileSystems) {
    if (static_cast<uint32_t>(status.f_type) == type) return true;
  }
  return false;
}

napi_value DescribeDescriptor (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  struct stat status;
  if (fstat(fd, &status) != 0) return ThrowErrno(env, errno, "fstat");
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return ThrowErrno(env, errno, "fcntl");
  const int access = flags & O_ACCMODE;
  const bool is_path = (flags & O_PATH) != 0;
  napi_value result = nullptr;
  if (napi_create_object(env, &result) != napi_ok) return nullptr;
  SetString(env, result, "type", TypeName(status.st_mode));
  SetNumber(env, result, "size", static_cast<double>(status.st_size));
  SetNumber(env, result, "device", static_cast<double>(status.st_dev));
  SetNumber(env, result, "inode", static_cast<double>(status.st_ino));
  SetNumber(env, result, "blockBytes", static_cast<double>(status.st_blksize));
  SetBoolean(env, result, "inMemory", IsInMemory(fd, status.st_mode));
  SetBoolean(env, result, "readable", !is_path && access != O_WRONLY);
  SetBoolean(env, result, "writable", !is_path && access != O_RDONLY);
  SetBoolean(env, result, "nonBlocking", (flags & O_NONBLOCK) != 0);
  return result;
}

/** createMemoryFile(name, bytes, seals) */
napi_value CreateMemoryFile (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::string name;
  int64_t bytes = 0;
  int64_t seals = 0;
  if (!call.ReadString(0, "The name", &name) || !call.ReadInteger(1, "The size", 0, kSafeIntegerMax, &bytes) ||
      !call.ReadInteger(2, "The seals", 0, INT_MAX, &seals)) {
    return nullptr;
  }
  const auto fd = static_cast<int>(syscall(SYS_memfd_create, name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd < 0) return ThrowErrno(env, errno, "memfd_create");
  const char* failed = nullptr;
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) failed = "ftruncate";
  else if (seals != 0 && fcntl(fd, F_ADD_SEALS, static_cast<int>(seals)) != 0) failed = "fcntl";
  if (failed == nullptr) return Integer(env, fd);
  const int error = errno;
  close(fd);
  return ThrowErrno(env, error, failed);
}

napi_value AddSeals (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  int64_t seals = 0;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(1, "The seals", 0, INT_MAX, &seals)) return nullptr;
  return fcntl(fd, F_ADD_SEALS, static_cast<int>(seals)) == 0 ? nullptr : ThrowErrno(env, errno, "fcntl");
}

napi_value GetSeals (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  if (!call.ReadDescriptor(0, &fd)) return nullptr;
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals < 0 ? ThrowErrno(env, errno, "fcntl") : Integer(env, seals);
}

}  // namespace

void ExportDescriptors (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "closeDescriptor", CloseDescriptor);
  ExportFunction(env, exports, "duplicateDescriptor", DuplicateDescriptor);
  ExportFunction(env, exports, "describeDescriptor", DescribeDescriptor);
  ExportFunction(env, exports, "createMemoryFile", CreateMemoryFile);
  ExportFunction(env, exports, "addSeals", AddSeals);
  ExportFunction(env, exports, "getSeals", GetSeals);
}

}  // namespace pcikit
