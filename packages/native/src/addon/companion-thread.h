// A thread that does what may wait, on the core of whoever asks.

#ifndef PCIKIT_COMPANION_THREAD_H_
#define PCIKIT_COMPANION_THREAD_H_

#include <node_api.h>
#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace pcikit {

/** What a companion does: one call of the kernel. */
class CompanionJob {
 public:
  virtual ~CompanionJob () = default;
  /** Runs on the companion. */
  virtual void Execute () = 0;
};

/**
 * A thread of an environment that does one job at a time, while the environment's own thread waits for it. Both share
 * a core: the one sleeps while the other runs, so nobody has to be woken on another core, which takes ten times as
 * long, and a job that is over soon costs 5 us more than a plain call. One that is not can be left alone.
 *
 * All functions are for the environment's own thread, but for `WaitFor`.
 */
class CompanionThread {
 public:
  CompanionThread (const CompanionThread&) = delete;
  CompanionThread& operator= (const CompanionThread&) = delete;

  /** That of an environment; null where there can be none. */
  static const std::shared_ptr<CompanionThread>& Of (napi_env env);

  /** False while an earlier job goes on. */
  bool is_free () const { return asked_.load(std::memory_order_relaxed) == done_.load(std::memory_order_acquire); }
  /**
   * Has a job done and waits for it, for so long at most. Returns 0 when it is over, else a number for `WaitFor`, and
   * then the job must stay in place until that returned. The companion must be free.
   */
  uint32_t Run (CompanionJob* job, int64_t nanoseconds_max);
  /** Waits on any thread until a job is over, however long that takes. */
  void WaitFor (uint32_t number);

 private:
  CompanionThread () = default;
  static void OnTeardown (void* data);
  static void* Main (void* data);

  bool Start ();
  /** Keeps it on the core of the caller. */
  void MoveHere ();
  void Work ();

  pthread_t thread_ = 0;
  std::atomic<pid_t> id_{0};
  /** Where it is kept; -1: not yet. */
  int core_ = -1;
  CompanionJob* job_ = nullptr;
  /** The numbers of the last job that was asked for, and of the last that is over. Nobody's is 0. */
  std::atomic<uint32_t> asked_{1};
  std::atomic<uint32_t> done_{1};
  std::atomic<bool> is_ending_{false};
};

}  // namespace pcikit

#endif  // PCIKIT_COMPANION_THREAD_H_
