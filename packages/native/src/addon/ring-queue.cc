#include "ring-queue.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace pcikit {

namespace {

// The same on all processors that we run on; a C library may be older than them.
constexpr long kSetupCall = 425;
constexpr long kEnterCall = 426;

constexpr off_t kRingsOffset = 0;
constexpr off_t kRequestsOffset = 0x10000000;
/** IORING_ENTER_GETEVENTS and IORING_ENTER_EXT_ARG. */
constexpr unsigned kGetEvents = 1;
constexpr unsigned kHasTimeout = 1 << 3;

// IORING_FEAT_*: both rings in one mapping; answers are never dropped; what a request points to is read when it is
// handed over; a descriptor's own position; waits that end; and threads of this process do what has to wait (Linux
// 5.12).
constexpr uint32_t kNeeded = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 8 | 1 << 9;

/** struct io_sqring_offsets. */
struct RequestOffsets {
  uint32_t head, tail, mask, entries, flags, dropped, array, unused;
  uint64_t address;
};

/** struct io_cqring_offsets. */
struct AnswerOffsets {
  uint32_t head, tail, mask, entries, overflow, answers, flags, unused;
  uint64_t address;
};

/** struct io_uring_params. */
struct Parameters {
  uint32_t request_count, answer_count, flags, thread_processor, thread_idle, features, other_ring, unused[3];
  RequestOffsets requests;
  AnswerOffsets answers;
};
static_assert(sizeof(Parameters) == 120);

/** struct io_uring_getevents_arg. */
struct WaitLimits {
  uint64_t signals;
  uint32_t signals_bytes;
  uint32_t unused;
  uint64_t timeout;
};

/** struct __kernel_timespec. */
struct Timeout {
  int64_t seconds;
  int64_t nanoseconds;
};

void* MapShared (int fd, size_t bytes, off_t offset) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  if (data == MAP_FAILED) return nullptr;
  // A child of this process has nothing to do with the ring.
  madvise(data, bytes, MADV_DONTFORK);
  return data;
}

}  // namespace

int RingQueue::Create (unsigned entries, std::shared_ptr<RingQueue>* result) {
  Parameters parameters = {};
  const int fd = static_cast<int>(syscall(kSetupCall, entries, &parameters));
  if (fd < 0) return errno;
  const std::shared_ptr<RingQueue> queue(new RingQueue(fd));
  const size_t requests_end = parameters.requests.array + parameters.request_count * sizeof(uint32_t);
  const size_t answers_end = parameters.answers.answers + parameters.answer_count * sizeof(RingAnswer);
  queue->rings_bytes_ = requests_end > answers_end ? requests_end : answers_end;
  queue->requests_bytes_ = parameters.request_count * sizeof(RingRequest);
  int error = (parameters.features & kNeeded) == kNeeded ? 0 : ENOSYS;
  if (error == 0) {
    queue->rings_ = MapShared(fd, queue->rings_bytes_, kRingsOffset);
    queue->requests_ = static_cast<RingRequest*>(MapShared(fd, queue->requests_bytes_, kRequestsOffset));
    if (queue->rings_ == nullptr || queue->requests_ == nullptr) error = ENOMEM;
  }
  if (error != 0) return error;
  auto* base = static_cast<uint8_t*>(queue->rings_);
  const auto word = [base] (uint32_t offset) { return reinterpret_cast<unsigned*>(base + offset); };
  queue->request_head_ = word(parameters.requests.head);
  queue->request_tail_ = word(parameters.requests.tail);
  queue->request_mask_ = *word(parameters.requests.mask);
  queue->answer_head_ = word(parameters.answers.head);
  queue->answer_tail_ = word(parameters.answers.tail);
  queue->answer_mask_ = *word(parameters.answers.mask);
  queue->answers_ = reinterpret_cast<RingAnswer*>(base + parameters.answers.answers);
  // The ring of numbers between the tail and the requests is of no use here: place n holds request n.
  for (unsigned index = 0; index <= queue->request_mask_; index += 1) {
    word(parameters.requests.array)[index] = index;
  }
  *result = queue;
  return 0;
}

RingQueue::~RingQueue () {
  if (rings_ != nullptr) munmap(rings_, rings_bytes_);
  if (requests_ != nullptr) munmap(requests_, requests_bytes_);
  Close();
}

void RingQueue::Close () {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void RingQueue::Push (const RingRequest& request) {
  const unsigned tail = *request_tail_;
  requests_[tail & request_mask_] = request;
  __atomic_store_n(request_tail_, tail + 1, __ATOMIC_RELEASE);
}

unsigned RingQueue::pending () const { return *request_tail_ - __atomic_load_n(request_head_, __ATOMIC_ACQUIRE); }

bool RingQueue::TakeBack (RingRequest* request) {
  if (pending() == 0) return false;
  // The kernel looks at the tail only while it is entered, on this thread.
  const unsigned tail = *request_tail_ - 1;
  *request = requests_[tail & request_mask_];
  __atomic_store_n(request_tail_, tail, __ATOMIC_RELEASE);
  return true;
}

int RingQueue::Enter (bool wait) {
  for (;;) {
    const unsigned count = pending();
    const long taken = syscall(kEnterCall, fd_, count, wait ? 1 : 0, wait ? kGetEvents : 0, nullptr, size_t{0});
    if (taken < 0 && errno != EINTR) return errno;
    if (taken < 0) continue;
    if (pending() == 0) return 0;
    // It stops at a request that it cannot even begin, and says how that ended with an answer.
    if (taken == 0) return EAGAIN;
  }
}

void RingQueue::Wait (int64_t nanoseconds) {
  const Timeout timeout = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  const WaitLimits limits = {0, 0, 0, reinterpret_cast<uint64_t>(&timeout)};
  // However it ends: the ring says what there is.
  syscall(kEnterCall, fd_, 0, 1, kGetEvents | kHasTimeout, &limits, sizeof limits);
}

bool RingQueue::Pop (RingAnswer* answer) {
  const unsigned head = *answer_head_;
  if (head == __atomic_load_n(answer_tail_, __ATOMIC_ACQUIRE)) return false;
  *answer = answers_[head & answer_mask_];
  __atomic_store_n(answer_head_, head + 1, __ATOMIC_RELEASE);
  return true;
}

}  // namespace pcikit
