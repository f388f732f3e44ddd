// The threads that Linux makes for all rings of a thread: io-wq.

#ifndef PCIKIT_RING_WORKERS_H_
#define PCIKIT_RING_WORKERS_H_

#include <sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pcikit {

/**
 * Linux runs what io_uring cannot do at once, such as a write to most file systems, on threads. It wakes one on the
 * core where it ran last, behind whatever is busy there, while the core of whoever handed the request over has nothing
 * to do but to look for the answer. With little under way these threads are kept on that core: each begins at once, in
 * place of the looking on. With more they are left to the scheduler.
 *
 * Where the system does not allow that (before Linux 6.3, or in a sandbox) everything stays as it is.
 */
class RingWorkers {
 public:
  /** Those of the running thread. */
  static RingWorkers& OfThread ();

  /** One more request is under way, or one less. */
  void Began () { in_flight_ += 1; }
  void Ended () { in_flight_ -= 1; }
  /** Before requests are handed over. */
  void Place ();
  /** Whether they run on the core of who waits for them. */
  bool are_kept () const { return core_ >= 0; }

 private:
  void Find (uint64_t now);
  void Move (const cpu_set_t& cores);

  size_t in_flight_ = 0;
  std::vector<pid_t> threads_;
  /** Where they are kept; -1: anywhere. */
  int core_ = -1;
  bool is_allowed_ = true;
  uint64_t look_at_ = 0;
  uint64_t look_interval_ = 0;
};

}  // namespace pcikit

#endif  // PCIKIT_RING_WORKERS_H_
