#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "arguments.h"
#include "companion-thread.h"
#include "modules.h"
#include "segments.h"
#include "thread-pool.h"

namespace pcikit {

namespace {

/** RWF_NOWAIT, which not every C library names. */
constexpr int kNoWait = 0x8;

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
  ssize_t Step ();

  const int fd_;
  const int64_t position_;
  const bool is_write_;
  Segments segments_;
};

ssize_t VectorTransfer::Step () {
  const iovec* parts = segments_.data();
  const int count = static_cast<int>(segments_.call_count());
  if (position_ == kOwnPosition) return is_write_ ? writev(fd_, parts, count) : readv(fd_, parts, count);
  const auto position = static_cast<off_t>(position_ + segments_.done());
  return is_write_ ? pwritev(fd_, parts, count, position) : preadv(fd_, parts, count, position);
}

int64_t VectorTransfer::Run () {
  while (segments_.count() != 0) {
    const ssize_t moved = Step();
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return -errno;
    if (moved == 0) break;
    segments_.Advance(static_cast<size_t>(moved));
  }
  return segments_.done();
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
  if (!transfer->segments().Read(call, 1)) {
    delete transfer;
    return nullptr;
  }
  if (position > kSafeIntegerMax - transfer->segments().bytes()) {
    delete transfer;
    return ThrowRange(env, "The position plus the length must be below 2^53.");
  }
  transfer->segments().Hold(env, call, 1);
  return PoolWork::Start(env, transfer);
}

napi_value ReadVector (napi_env env, napi_callback_info info) { return StartTransfer(env, info, false); }

napi_value WriteVector (napi_env env, napi_callback_info info) { return StartTransfer(env, info, true); }

/** One call on this very thread: the bytes moved, or a negative errno. */
napi_value TransferNow (napi_env env, napi_callback_info info, long number) {
  const Call call(env, info);
  int fd = -1;
  int64_t position = 0;
  bool may_wait = false;
  Segments segments;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(5, "The position", 0, kSafeIntegerMax, &position) ||
      !call.ReadBoolean(6, "Whether to wait", &may_wait) || !segments.Read(call, 1)) {
    return nullptr;
  }
  const long flags = may_wait ? 0 : kNoWait;
  // musl has no preadv2 before 1.2.5. On 64-bit machines the whole position is in the first half.
  ssize_t result = 0;
  do {
    result = syscall(number, fd, segments.data(), segments.call_count(), static_cast<long>(position), 0L, flags);
  } while (result < 0 && errno == EINTR);
  return Number(env, static_cast<double>(result < 0 ? -errno : result));
}

napi_value ReadVectorNow (napi_env env, napi_callback_info info) { return TransferNow(env, info, SYS_preadv2); }

napi_value WriteVectorNow (napi_env env, napi_callback_info info) { return TransferNow(env, info, SYS_pwritev2); }

/** How long the caller waits for a write that goes on. */
constexpr int64_t kSoonNanoseconds = 500000;

/** A write by the companion. The thread pool waits for it where it takes longer. */
class SoonWrite : public VectorTransfer, public CompanionJob {
 public:
  SoonWrite (std::shared_ptr<CompanionThread> companion, int fd, int64_t position)
      : VectorTransfer(fd, position, true), companion_(std::move(companion)) {}

  /** Whether it is over. If not, Start follows. */
  bool RunsSoon () {
    number_ = companion_->Run(this, kSoonNanoseconds);
    return number_ == 0;
  }
  void Execute () override { outcome_ = VectorTransfer::Run(); }
  int64_t outcome () const { return outcome_; }

 protected:
  int64_t Run () override {
    companion_->WaitFor(number_);
    return outcome_;
  }
  void Finish (napi_env env) override {
    companion_->WaitFor(number_);
    VectorTransfer::Finish(env);
  }

 private:
  const std::shared_ptr<CompanionThread> companion_;
  uint32_t number_ = 0;
  int64_t outcome_ = 0;
};

/** The bytes written or a negative errno, or the promise of them. */
napi_value WriteVectorSoon (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fd = -1;
  int64_t position = 0;
  if (!call.ReadDescriptor(0, &fd) || !call.ReadInteger(5, "The position", 0, kSafeIntegerMax, &position)) {
    return nullptr;
  }
  const std::shared_ptr<CompanionThread>& companion = CompanionThread::Of(env);
  if (companion == nullptr) return Integer(env, -ENOSYS);
  if (!companion->is_free()) return Integer(env, -EBUSY);
  auto write = std::make_unique<SoonWrite>(companion, fd, position);
  Segments& segments = write->segments();
  if (!segments.Read(call, 1)) return nullptr;
  if (position > kSafeIntegerMax - segments.bytes()) {
    return ThrowRange(env, "The position plus the length must be below 2^53.");
  }
  if (write->RunsSoon()) return Number(env, static_cast<double>(write->outcome()));
  segments.Hold(env, call, 1);
  return PoolWork::Start(env, write.release());
}

}  // namespace

void ExportVectorIo (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "readVector", ReadVector);
  ExportFunction(env, exports, "writeVector", WriteVector);
  ExportFunction(env, exports, "readVectorNow", ReadVectorNow);
  ExportFunction(env, exports, "writeVectorNow", WriteVectorNow);
  ExportFunction(env, exports, "writeVectorSoon", WriteVectorSoon);
}

}  // namespace pcikit
