// The two rings that a thread shares with the kernel to start file transfers and to learn how they ended: io_uring.
// Source: Linux manual, io_uring(7), io_uring_setup(2), io_uring_enter(2).

#ifndef PCIKIT_RING_QUEUE_H_
#define PCIKIT_RING_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pcikit {

/** struct io_uring_sqe, in the words of this file: the kernel's own headers may be older than the kernel. */
struct RingRequest {
  uint8_t opcode;
  uint8_t flags;
  uint16_t priority;
  int32_t fd;
  uint64_t position;
  uint64_t address;
  uint32_t length;
  uint32_t operation_flags;
  uint64_t tag;
  uint64_t unused[3];
};
static_assert(sizeof(RingRequest) == 64);

/** struct io_uring_cqe. */
struct RingAnswer {
  uint64_t tag;
  int32_t result;
  uint32_t flags;
};
static_assert(sizeof(RingAnswer) == 16);

/** Values of RingRequest::opcode: IORING_OP_*. */
enum RingOpcode : uint8_t { kRingReadVector = 1, kRingWriteVector = 2, kRingSync = 3, kRingCancel = 14 };
/** IOSQE_ASYNC, for RingRequest::flags: a thread of the kernel does it, and may wait. */
constexpr uint8_t kRingOnThread = 1 << 4;
/** IORING_FSYNC_DATASYNC, for RingRequest::operation_flags. */
constexpr uint32_t kRingDataOnly = 1;

/**
 * Not safe to use from several threads. The descriptor is readable while there are answers. The memory of the rings
 * stays until this is deleted, also after Close.
 */
class RingQueue {
 public:
  /** Makes one with room for `entries` requests, a power of two, and twice as many answers. Returns 0 or an errno. */
  static int Create (unsigned entries, std::shared_ptr<RingQueue>* result);
  ~RingQueue ();
  RingQueue (const RingQueue&) = delete;
  RingQueue& operator= (const RingQueue&) = delete;

  int fd () const { return fd_; }
  /** Adds a request. The caller knows that there is room. */
  void Push (const RingRequest& request);
  /** How many requests the kernel has not taken yet. */
  unsigned pending () const;
  /** Hands pending requests to the kernel, and waits for an answer when told so. Returns 0 or an errno. */
  int Enter (bool wait);
  /** Waits until there is an answer, for so long at most. Hands nothing over. */
  void Wait (int64_t nanoseconds);
  /** Takes back a request that the kernel has not taken, the last one first. False when there is none. */
  bool TakeBack (RingRequest* request);
  /** Takes the next answer. False when there is none. */
  bool Pop (RingAnswer* answer);
  /** Gives the descriptor back. Nothing may be in flight. */
  void Close ();

  /** The rings, for whoever looks for answers by himself, and where in them the two counters of the answers are. */
  void* memory () const { return rings_; }
  size_t memory_bytes () const { return rings_bytes_; }
  size_t answer_head_offset () const { return OffsetOf(answer_head_); }
  size_t answer_tail_offset () const { return OffsetOf(answer_tail_); }

 private:
  explicit RingQueue (int fd) : fd_(fd) {}
  size_t OffsetOf (const void* word) const {
    return static_cast<size_t>(static_cast<const uint8_t*>(word) - static_cast<const uint8_t*>(rings_));
  }

  int fd_;
  void* rings_ = nullptr;
  size_t rings_bytes_ = 0;
  RingRequest* requests_ = nullptr;
  size_t requests_bytes_ = 0;
  unsigned request_mask_ = 0;
  /** Shared with the kernel, which moves the first and the last. */
  unsigned* request_head_ = nullptr;
  unsigned* request_tail_ = nullptr;
  unsigned* answer_head_ = nullptr;
  unsigned* answer_tail_ = nullptr;
  unsigned answer_mask_ = 0;
  const RingAnswer* answers_ = nullptr;
};

}  // namespace pcikit

#endif  // PCIKIT_RING_QUEUE_H_
