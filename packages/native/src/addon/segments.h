// The memory of a file transfer, in pieces, and what keeps it in place.

#ifndef PCIKIT_SEGMENTS_H_
#define PCIKIT_SEGMENTS_H_

#include <node_api.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arguments.h"
#include "mapped-range.h"

namespace pcikit {

/** How many pieces the kernel takes in one call: UIO_MAXIOV. */
constexpr size_t kSegmentsPerCallMax = 1024;
/** The position that stands for the descriptor's own: pipes have no other. */
constexpr int64_t kOwnPosition = -1;

/**
 * The memory of a transfer. While it is in flight, mapped ranges keep their addresses and other arrays are kept from
 * being collected. `Advance` follows a transfer that takes several calls of the kernel.
 */
class Segments {
 public:
  Segments () = default;
  Segments (const Segments&) = delete;
  Segments& operator= (const Segments&) = delete;

  /**
   * Reads four arguments from `first` on: buffers, offsets, lengths, and how many of them count. False with an
   * exception pending; what was there before is gone in any case.
   */
  bool Read (const Call& call, size_t first);
  void Hold (napi_env env, const Call& call, size_t first);
  void LetGo (napi_env env);

  /** The pieces that are left to do. */
  iovec* data () { return parts_.data() + parts_done_; }
  size_t count () const { return parts_.size() - parts_done_; }
  /** How many of them one call takes. */
  size_t call_count () const { return count() < kSegmentsPerCallMax ? count() : kSegmentsPerCallMax; }
  /** The bytes of all pieces, done or not. */
  int64_t bytes () const { return bytes_; }
  /** The bytes that are done. */
  int64_t done () const { return done_; }
  /** Takes bytes that were moved off the front. */
  void Advance (size_t moved);

 private:
  bool ReadOne (const Call& call, size_t first, uint32_t index);

  std::vector<iovec> parts_;
  /** Which of the arrays each part came from. */
  std::vector<uint32_t> sources_;
  std::vector<MappedRange*> ranges_;
  std::vector<napi_ref> arrays_;
  size_t parts_done_ = 0;
  int64_t bytes_ = 0;
  int64_t done_ = 0;
};

}  // namespace pcikit

#endif  // PCIKIT_SEGMENTS_H_
