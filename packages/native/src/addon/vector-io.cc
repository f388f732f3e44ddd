#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "arguments.h"
#include "mapped-range.h"
#include "modules.h"
#include "thread-pool.h"

namespace pcikit {

namespace {

constexpr int64_t kSegmentsMax = 65536;
/** The position that stands for the descriptor's own: pipes have no other. */
constexpr int64_t kOwnPosition = -1;
constexpr size_t kIovMax = 1024;
/** RWF_NOWAIT, which not every C library names. */
constexpr int kNoWait = 0x8;

/**
 * The memory of a transfer. While it is in flight, mapped ranges keep their addresses and other arrays are kept from
 * being collected.
 */
class Segments {
 public:
  bool Read (const Call& call);
  void Hold (napi_env env, const Call& call);
  void LetGo (napi_env env);

  iovec* data () { return parts_.data(); }
  size_t count () const { return parts_.size(); }
  int64_t bytes () const { return bytes_; }

 private:
  bool ReadOne (const Call& call, uint32_t index);

  std::vector<iovec> parts_;
  /** Which of the arrays each part came from. */
  std::vector<uint32_t> sources_;
  std::vector<MappedRange*> ranges_;
  std::vector<napi_ref> arrays_;
  int64_t bytes_ = 0;
};

/** Reads the arguments 1 to 4: buffers, offsets, lengths and how many of them count. */
bool Segments::Read (const Call& call) {
  int64_t count = 0;
  if (!call.ReadInteger(4, "The segment count", 0, kSegmentsMax, &count)) return false;
  for (size_t index = 1; index <= 3; index += 1) {
    bool is_array = false;
    napi_is_array(call.env(), call.argument(index), &is_array);
    if (!is_array) {
      ThrowType(call.env(), "The buffers, the offsets and the lengths must be arrays.");
      return false;
    }
  }
  parts_.reserve(static_cast<size_t>(count));
  sources_.reserve(static_cast<size_t>(count));
  for (uint32_t index = 0; index < count; index += 1) {
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(call.env(), &scope);
    const bool read = ReadOne(call, index);
    napi_close_handle_scope(call.env(), scope);
    if (!read) return false;
  }
  return true;
}

bool Segments::ReadOne (const Call& call, uint32_t index) {
  napi_env env = call.env();
  napi_value values[3];
  for (size_t at = 0; at < 3; at += 1) {
    if (napi_get_element(env, call.argument(at + 1), index, &values[at]) != napi_ok) return false;
  }
  uint8_t* data = nullptr;
  size_t available = 0;
  int64_t offset = 0;
  int64_t length = 0;
  if (!ReadUint8Array(env, values[0], "A buffer", &data, &available) ||
      !ReadIntegerValue(env, values[1], "An offset", 0, kSafeIntegerMax, &offset) ||
      !ReadIntegerValue(env, values[2], "A length", 0, kSafeIntegerMax, &length) ||
      !CheckRange(env, "The buffer", offset, length, available)) {
    return false;
  }
  if (length == 0) return true;
  if (length > kSafeIntegerMax - bytes_) {
    ThrowRange(env, "The segments are too long together.");
    return false;
  }
  bytes_ += length;
  parts_.push_back({data + offset, static_cast<size_t>(length)});
  sources_.push_back(index);
  return true;
}

void Segments::Hold (napi_env env, const Call& call) {
  for (size_t at = 0; at < parts_.size(); at += 1) {
    MappedRange* range = MappedRange::Find(parts_[at].iov_base, parts_[at].iov_len);
    if (range != nullptr) {
      ranges_.push_back(range);
      continue;
    }
    napi_value array = nullptr;
    napi_ref reference = nullptr;
    napi_get_element(env, call.argument(1), sources_[at], &array);
    if (napi_create_reference(env, array, 1, &reference) == napi_ok) arrays_.push_back(reference);
  }
}

void Segments::LetGo (napi_env env) {
  for (MappedRange* range : ranges_) range->LetGo();
  for (napi_ref array : arrays_) napi_delete_reference(env, array);
  ranges_.clear();
  arrays_.clear();
}

/** A read or a write of all its segments; a read ends early at the end of the file. */
class VectorTransfer : public PoolWork {
 public:
  VectorTransfer (int fd, int64_t position, bool is_write)
      : PoolWork(is_write ? "pwritev" : "preadv"), fd_(fd), position_(position), is_write_(is_write) {}

  Segments& segments () { return segments_; }

 protected:
  int64_t Run () override;
  void Finish (napi_env env) override { segments_.LetGo(env); }

 private:
  ssize_t Step (const iovec* parts, int count, int64_t done) const;

  const int fd_;
  const int64_t position_;
  const bool is_write_;
  Segments segments_;
};

ssize_t VectorTransfer::Step (const iovec* parts, int count, int64_t done) const {
  if (position_ == kOwnPosition) return is_write_ ? writev(fd_, parts, count) : readv(fd_, parts, count);
  const auto position = static_cast<off_t>(position_ + done);
  return is_write_ ? pwritev(fd_, parts, count, position) : preadv(fd_, parts, count, position);
}

int64_t VectorTransfer::Run () {
  iovec* parts = segments_.data();
  size_t left = segments_.count();
  int64_t done = 0;
  while (left != 0) {
    const ssize_t moved = Step(parts, static_cast<int>(left < kIovMax ? left : kIovMax), done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return -errno;
    if (moved == 0) break;
    done += moved;
    auto rest = static_cast<size_t>(moved);
    while (left != 0 && rest >= parts->iov_len) {
      rest -= parts->iov_len;
      parts += 1;
      left -= 1;
    }
    if (rest != 0) {
      parts->iov_base = static_cast<uint8_t*>(parts->iov_base) + rest;
      parts->iov_len -= rest;
    }
  }
  return done;
}

napi_value StartTransfer (napi_env env, napi_callback_info info, bool is_write) {
  const Call call(env, info);
  int fd = -1;
  int64_t position = 0;
  if (!call.ReadDescriptor(0, &fd) ||
      !call.ReadInteger(5, "The position", kOwnPosition, kSafeIntegerMax, &position)) {
    return nullptr;
  }
  auto* transfer = new VectorTransfer(fd, position, is_write);
  if (!transfer->segments().Read(call)) {
    delete transfer;
    return nullptr;
  }
  if (position > kSafeIntegerMax - transfer->segments().bytes()) {
    delete transfer;
    return ThrowRange(env, "The position plus the length must be below 2^53.");
  }
  transfer->segments().Hold(env, call);
  return PoolWork::Start(env, transfer);
}

napi_value ReadVector (napi_env env, napi_callback_info info) { return StartTransfer(env, info, false); }

napi_value WriteVector (napi_env env, napi_callback_info info) { return StartTransfer(env, info, true); }

/** readVectorNow: the bytes that the page cache had at once, or a negative errno. */
napi_value ReadVectorNow (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  int64_t position = 0;
  Segments segments;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(5, "The position", 0, kSafeIntegerMax, &position) ||
      !segments.Read(call)) {
    return nullptr;
  }
  const size_t count = segments.count() < kIovMax ? segments.count() : kIovMax;
  // musl has no preadv2 before 1.2.5. On 64-bit machines the whole position is in the first half.
  ssize_t result = 0;
  do {
    result = syscall(SYS_preadv2, fd, segments.data(), count, static_cast<long>(position), 0L, kNoWait);
  } while (result < 0 && errno == EINTR);
  return Number(env, static_cast<double>(result < 0 ? -errno : result));
}

}  // namespace

void ExportVectorIo (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "readVector", ReadVector);
  ExportFunction(env, exports, "writeVector", WriteVector);
  ExportFunction(env, exports, "readVectorNow", ReadVectorNow);
}

}  // namespace pcikit
