#include <cerrno>
#include <climits>
#include <memory>
#include <utility>
#include <vector>

#include "arguments.h"
#include "modules.h"
#include "ring-queue.h"
#include "ring-workers.h"
#include "segments.h"
#include "watcher.h"

namespace pcikit {

namespace {

constexpr int64_t kSlotsMax = 4096;
/** A second, in microseconds: nobody holds the event loop up for longer. */
constexpr int64_t kWaitMax = 1000000;
/** Stands in the place of a slot's number for the requests that end others. */
constexpr uint64_t kCancelTag = UINT64_MAX;

/** One request, from `prepare…` until its answer was taken. Its memory stays in place for as long. */
struct Slot {
  Segments segments;
  int64_t position = 0;
  int fd = -1;
  RingOpcode opcode = kRingSync;
  bool is_busy = false;
  bool was_sent_to_thread = false;
};

/**
 * File transfers through io_uring. Requests are prepared one by one and handed to the kernel together. Each is in a
 * slot that the caller picked, which has at most one request in the kernel: so neither ring can overflow.
 */
class IoRing : public Watched {
 public:
  static napi_value New (napi_env env, napi_callback_info info);
  static napi_value PrepareRead (napi_env env, napi_callback_info info);
  static napi_value PrepareWrite (napi_env env, napi_callback_info info);
  static napi_value PrepareSync (napi_env env, napi_callback_info info);
  static napi_value Exchange (napi_env env, napi_callback_info info);
  static napi_value Wait (napi_env env, napi_callback_info info);
  static napi_value AreThreadsHere (napi_env env, napi_callback_info info);
  static napi_value OnAnswer (napi_env env, napi_callback_info info);
  static napi_value Close (napi_env env, napi_callback_info info);

 private:
  IoRing (napi_env env, std::shared_ptr<RingQueue> queue, size_t slot_count)
      : Watched(queue->fd()), env_(env), queue_(std::move(queue)), slots_(slot_count) {}
  bool ShareCounters (napi_value self) const;
  static napi_value PrepareTransfer (napi_env env, napi_callback_info info, RingOpcode opcode);
  static void OnTeardown (void* data) { static_cast<IoRing*>(data)->Stop(); }

  Slot* FreeSlot (const Call& call);
  void Begin (Slot* slot);
  void Push (Slot* slot);
  bool GoOn (Slot* slot, int result, int64_t* outcome);
  void End (Slot* slot);
  size_t TakeAnswers (double* results, size_t room);
  size_t FailPending (int error, double* results, size_t room);
  void Stop ();
  bool Quiesce ();

  const napi_env env_;
  /** Null once closed. */
  std::shared_ptr<RingQueue> queue_;
  std::vector<Slot> slots_;
  /** Weak while no request is busy: the kernel must not be left alone with memory that is gone. */
  napi_ref self_ = nullptr;
  size_t busy_ = 0;
};

napi_value IoRing::New (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int64_t slot_count = 0;
  if (!call.ReadInteger(0, "The slot count", 1, kSlotsMax, &slot_count)) return nullptr;
  unsigned entries = 1;
  while (entries < slot_count) entries *= 2;
  std::shared_ptr<RingQueue> queue;
  const int error = RingQueue::Create(entries, &queue);
  if (error != 0) return ThrowErrno(env, error, "io_uring_setup");
  auto* ring = new IoRing(env, queue, static_cast<size_t>(slot_count));
  const auto finalize = [] (napi_env finalize_env, void* data, void*) {
    auto* finalized = static_cast<IoRing*>(data);
    finalized->Stop();
    napi_delete_reference(finalize_env, finalized->self_);
    delete finalized;
  };
  if (napi_wrap(env, call.self(), ring, finalize, nullptr, &ring->self_) != napi_ok) {
    delete ring;
    return nullptr;
  }
  ring->Watched::SetReferenced(false);
  napi_add_env_cleanup_hook(env, OnTeardown, ring);
  return ring->ShareCounters(call.self()) ? nullptr : ThrowErrno(env, ENOMEM, "io_uring_setup");
}

/** Lets JavaScript see whether there are answers: `counters` and the indexes of the two to compare. */
bool IoRing::ShareCounters (napi_value self) const {
  // The array buffer may outlive the ring. It keeps the memory, and then sees counters that nobody moves.
  auto* holder = new std::shared_ptr<RingQueue>(queue_);
  const auto finalize = [] (napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<RingQueue>*>(hint); };
  const size_t bytes = queue_->memory_bytes();
  napi_value buffer = nullptr;
  napi_value counters = nullptr;
  if (napi_create_external_arraybuffer(env_, queue_->memory(), bytes, finalize, holder, &buffer) != napi_ok ||
      napi_create_typedarray(env_, napi_int32_array, bytes / sizeof(int32_t), buffer, 0, &counters) != napi_ok) {
    return false;
  }
  napi_set_named_property(env_, self, "counters", counters);
  SetNumber(env_, self, "headIndex", static_cast<double>(queue_->answer_head_offset() / sizeof(int32_t)));
  SetNumber(env_, self, "tailIndex", static_cast<double>(queue_->answer_tail_offset() / sizeof(int32_t)));
  return true;
}

/** The slot that the first argument names, or null with an exception pending. */
Slot* IoRing::FreeSlot (const Call& call) {
  int64_t index = 0;
  const auto last = static_cast<int64_t>(slots_.size()) - 1;
  if (!call.ReadInteger(0, "The slot", 0, last, &index)) return nullptr;
  if (queue_ == nullptr) {
    ThrowErrno(env_, EBADF, "io_uring_enter");
    return nullptr;
  }
  Slot* slot = &slots_[static_cast<size_t>(index)];
  if (!slot->is_busy) return slot;
  ThrowErrno(env_, EBUSY, "io_uring_enter");
  return nullptr;
}

napi_value IoRing::PrepareTransfer (napi_env env, napi_callback_info info, RingOpcode opcode) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  Slot* slot = ring == nullptr ? nullptr : ring->FreeSlot(call);
  int fd = -1;
  int64_t position = 0;
  if (slot == nullptr || !call.ReadDescriptor(1, &fd) ||
      !call.ReadInteger(6, "The position", kOwnPosition, kSafeIntegerMax, &position) ||
      !slot->segments.Read(call, 2)) {
    return nullptr;
  }
  if (position > kSafeIntegerMax - slot->segments.bytes()) {
    return ThrowRange(env, "The position plus the length must be below 2^53.");
  }
  slot->segments.Hold(env, call, 2);
  slot->opcode = opcode;
  slot->fd = fd;
  slot->position = position;
  ring->Begin(slot);
  return nullptr;
}

napi_value IoRing::PrepareRead (napi_env env, napi_callback_info info) {
  return PrepareTransfer(env, info, kRingReadVector);
}

napi_value IoRing::PrepareWrite (napi_env env, napi_callback_info info) {
  return PrepareTransfer(env, info, kRingWriteVector);
}

napi_value IoRing::PrepareSync (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  Slot* slot = ring == nullptr ? nullptr : ring->FreeSlot(call);
  int fd = -1;
  if (slot == nullptr || !call.ReadDescriptor(1, &fd)) return nullptr;
  slot->opcode = kRingSync;
  slot->fd = fd;
  ring->Begin(slot);
  return nullptr;
}

void IoRing::Begin (Slot* slot) {
  slot->is_busy = true;
  slot->was_sent_to_thread = false;
  if (busy_ == 0) {
    napi_reference_ref(env_, self_, nullptr);
    Watched::SetReferenced(true);
  }
  busy_ += 1;
  RingWorkers::OfThread().Began();
  Push(slot);
}

void IoRing::Push (Slot* slot) {
  RingRequest request = {};
  request.opcode = slot->opcode;
  request.flags = slot->was_sent_to_thread ? kRingOnThread : 0;
  request.fd = slot->fd;
  request.tag = static_cast<uint64_t>(slot - slots_.data());
  if (slot->opcode == kRingSync) {
    request.operation_flags = kRingDataOnly;
  } else {
    const int64_t done = slot->position == kOwnPosition ? 0 : slot->segments.done();
    request.position = static_cast<uint64_t>(slot->position + done);
    request.address = reinterpret_cast<uint64_t>(slot->segments.data());
    request.length = static_cast<uint32_t>(slot->segments.call_count());
  }
  queue_->Push(request);
}

/** Does what is left of a request that was answered: true when that is something, else `outcome` is its result. */
bool IoRing::GoOn (Slot* slot, int result, int64_t* outcome) {
  const bool must_retry = result == -EINTR || (result == -EAGAIN && !slot->was_sent_to_thread);
  if (result > 0) slot->segments.Advance(static_cast<size_t>(result));
  // A file system that cannot do it without waiting should have passed it to a thread by itself.
  if (result == -EAGAIN) slot->was_sent_to_thread = true;
  if (must_retry || (result > 0 && slot->segments.count() != 0)) {
    Push(slot);
    return true;
  }
  *outcome = result < 0 || slot->opcode == kRingSync ? result : slot->segments.done();
  return false;
}

void IoRing::End (Slot* slot) {
  slot->segments.LetGo(env_);
  slot->is_busy = false;
  busy_ -= 1;
  RingWorkers::OfThread().Ended();
  if (busy_ != 0) return;
  napi_reference_unref(env_, self_, nullptr);
  Watched::SetReferenced(false);
}

/** Writes pairs, the number of a slot and its result, and returns how many numbers that are. */
size_t IoRing::TakeAnswers (double* results, size_t room) {
  size_t filled = 0;
  RingAnswer answer;
  while (filled + 2 <= room && queue_->Pop(&answer)) {
    Slot* slot = &slots_[answer.tag];
    int64_t outcome = 0;
    if (GoOn(slot, answer.result, &outcome)) continue;
    End(slot);
    results[filled] = static_cast<double>(answer.tag);
    results[filled + 1] = static_cast<double>(outcome);
    filled += 2;
  }
  return filled;
}

/** Gives up what the kernel would not take while nothing of ours in it could make room. */
size_t IoRing::FailPending (int error, double* results, size_t room) {
  size_t filled = 0;
  RingRequest request;
  while (filled + 2 <= room && queue_->TakeBack(&request)) {
    End(&slots_[request.tag]);
    results[filled] = static_cast<double>(request.tag);
    results[filled + 1] = -error;
    filled += 2;
  }
  return filled;
}

/** exchange(results): hands over what was prepared, and takes what was answered. */
napi_value IoRing::Exchange (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  if (ring == nullptr) return nullptr;
  napi_typedarray_type type = napi_int8_array;
  void* memory = nullptr;
  size_t room = 0;
  if (napi_get_typedarray_info(env, call.argument(0), &type, &room, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array) {
    return ThrowType(env, "The results must be a Float64Array.");
  }
  if (ring->queue_ == nullptr) return Integer(env, 0);
  auto* results = static_cast<double*>(memory);
  if (ring->queue_->pending() != 0) RingWorkers::OfThread().Place();
  int error = ring->queue_->pending() == 0 ? 0 : ring->queue_->Enter(false);
  size_t filled = ring->TakeAnswers(results, room);
  // What is left of short transfers.
  if (error == 0 && ring->queue_->pending() != 0) error = ring->queue_->Enter(false);
  if (error != 0 && ring->queue_->pending() == ring->busy_) {
    filled += ring->FailPending(error, results + filled, room - filled);
  }
  return Number(env, static_cast<double>(filled / 2));
}

/** wait(microseconds) */
napi_value IoRing::Wait (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  int64_t microseconds = 0;
  if (ring == nullptr || !call.ReadInteger(0, "The time", 0, kWaitMax, &microseconds)) return nullptr;
  // Without anything under way there is nothing that could end the wait.
  if (ring->busy_ != 0) ring->queue_->Wait(microseconds * 1000);
  return nullptr;
}

/** areThreadsHere() */
napi_value IoRing::AreThreadsHere (napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_get_boolean(env, RingWorkers::OfThread().are_kept(), &result);
  return result;
}

napi_value IoRing::OnAnswer (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  return ring == nullptr ? nullptr : ring->SetCallback(call, Watcher::kReadable, "PcikitIoRing");
}

napi_value IoRing::Close (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* ring = call.Self<IoRing>();
  if (ring != nullptr) ring->Stop();
  return nullptr;
}

/** Ends everything in flight and waits until the kernel is done with its memory. False when that cannot be known. */
bool IoRing::Quiesce () {
  RingRequest request;
  while (queue_->TakeBack(&request)) End(&slots_[request.tag]);
  for (Slot& slot : slots_) {
    if (!slot.is_busy) continue;
    RingRequest cancel = {};
    cancel.opcode = kRingCancel;
    cancel.fd = -1;
    cancel.address = static_cast<uint64_t>(&slot - slots_.data());
    cancel.tag = kCancelTag;
    queue_->Push(cancel);
  }
  while (busy_ != 0) {
    const int error = queue_->Enter(true);
    RingAnswer answer;
    bool progressed = false;
    while (queue_->Pop(&answer)) {
      progressed = true;
      if (answer.tag != kCancelTag) End(&slots_[answer.tag]);
    }
    if (error != 0 && !progressed) return false;
  }
  return true;
}

void IoRing::Stop () {
  if (queue_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, OnTeardown, this);
  CloseWatcher();
  // Where nothing is known of the end of a request, its memory is lost rather than used twice.
  if (Quiesce()) queue_->Close();
  else new std::shared_ptr<RingQueue>(queue_);
  queue_ = nullptr;
  fd_ = -1;
}

}  // namespace

void ExportIoRing (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("prepareRead", IoRing::PrepareRead), Method("prepareWrite", IoRing::PrepareWrite),
      Method("prepareSync", IoRing::PrepareSync), Method("exchange", IoRing::Exchange),
      Method("wait", IoRing::Wait),               Method("areThreadsHere", IoRing::AreThreadsHere),
      Method("onAnswer", IoRing::OnAnswer),       Method("close", IoRing::Close),
  };
  ExportClass(env, exports, "IoRing", IoRing::New, std::size(properties), properties);
}

}  // namespace pcikit
