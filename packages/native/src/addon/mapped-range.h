// The address ranges that this process has mapped, and when each may go.

#ifndef PCIKIT_MAPPED_RANGE_H_
#define PCIKIT_MAPPED_RANGE_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pcikit {

/**
 * A range of addresses with memory behind it. It is counted: its mapping, every array buffer made over it and every
 * transfer of the kernel into it hold it, and only the last to let go gives the addresses back. So nothing else can
 * come to stand where a forgotten pointer points. All ranges of the process are in one table, for the fault handler
 * and for transfers that start from a pointer; any thread may use them.
 */
class MappedRange {
 public:
  /** Maps `bytes` of a file, or of fresh memory when `fd` is -1. Returns 0 or an errno; `result` starts held once. */
  static int Map (int fd, off_t offset, size_t bytes, int protection, MappedRange** result);
  /** The range that holds all of [data, data + bytes), held once more; null when it is other memory. */
  static MappedRange* Find (const void* data, size_t bytes);
  /** For the signal handler: puts zeroes under a faulting address. False when it is not one of ours. */
  static bool Repair (void* address);
  /** How many faults were repaired in the life of the process: 32 bits, for whoever looks for himself. */
  static void* RepairCounter ();

  void Hold ();
  void LetGo ();
  /** True when only the caller holds the range. */
  bool IsHeldOnce () const;
  /**
   * Takes the memory out of the range and leaves an inaccessible one: kernel transfers in flight end with EFAULT. The
   * addresses stay reserved. Returns 0 or an errno.
   */
  int Revoke ();

  uint8_t* data () const { return data_; }
  size_t bytes () const { return bytes_; }
  bool is_revoked () const { return revoked_; }
  uint32_t fault_count () const { return faults_.load(std::memory_order_relaxed); }

 private:
  MappedRange (uint8_t* data, size_t bytes, size_t reserved, size_t page)
      : data_(data), bytes_(bytes), reserved_(reserved), page_(page) {}

  uint8_t* const data_;
  const size_t bytes_;
  /** What was mapped: `bytes_` up to a whole number of pages. */
  const size_t reserved_;
  const size_t page_;
  uint32_t holders_ = 1;
  bool revoked_ = false;
  std::atomic<uint32_t> faults_{0};
};

}  // namespace pcikit

#endif  // PCIKIT_MAPPED_RANGE_H_
