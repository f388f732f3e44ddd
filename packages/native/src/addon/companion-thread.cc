#include "companion-thread.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

namespace pcikit {

namespace {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == sizeof(uint32_t) && Word::is_always_lock_free);

/** Sleeps while `word` is `value`, for so long at most; 0: however long. It may return early. */
void Sleep (Word* word, uint32_t value, uint64_t nanoseconds) {
  const timespec limit = {static_cast<time_t>(nanoseconds / 1000000000), static_cast<long>(nanoseconds % 1000000000)};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nanoseconds == 0 ? nullptr : &limit, nullptr, 0);
}

void Wake (Word* word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0); }

/** The next number after `number`; 0 is left out. */
uint32_t After (uint32_t number) { return number + 1 == 0 ? 1 : number + 1; }

thread_local std::shared_ptr<CompanionThread> companion;
/** It could not be started, or not be kept on a core: nobody tries again. */
thread_local bool is_impossible = false;

}  // namespace

const std::shared_ptr<CompanionThread>& CompanionThread::Of (napi_env env) {
  static const std::shared_ptr<CompanionThread> none;
  if (is_impossible) return none;
  if (companion != nullptr) return companion;
  const std::shared_ptr<CompanionThread> started(new CompanionThread());
  is_impossible = !started->Start();
  if (is_impossible) return none;
  companion = started;
  napi_add_env_cleanup_hook(env, OnTeardown, nullptr);
  return companion;
}

bool CompanionThread::Start () {
  // It is nobody's to be interrupted.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread_, nullptr, Main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error == 0;
}

void CompanionThread::OnTeardown (void*) {
  const std::shared_ptr<CompanionThread> ending = std::move(companion);
  companion = nullptr;
  const uint32_t last = ending->asked_.load(std::memory_order_relaxed);
  ending->WaitFor(last);
  ending->is_ending_.store(true, std::memory_order_relaxed);
  ending->asked_.store(After(last), std::memory_order_release);
  Wake(&ending->asked_);
  pthread_join(ending->thread_, nullptr);
}

void* CompanionThread::Main (void* data) {
  pthread_setname_np(pthread_self(), "pcikit-write");
  static_cast<CompanionThread*>(data)->Work();
  return nullptr;
}

void CompanionThread::Work () {
  id_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_release);
  for (;;) {
    const uint32_t done = done_.load(std::memory_order_relaxed);
    const uint32_t asked = asked_.load(std::memory_order_acquire);
    if (asked == done) {
      Sleep(&asked_, asked, 0);
      continue;
    }
    if (is_ending_.load(std::memory_order_relaxed)) return;
    job_->Execute();
    done_.store(asked, std::memory_order_release);
    Wake(&done_);
  }
}

void CompanionThread::MoveHere () {
  const int core = sched_getcpu();
  if (core == core_) return;
  const pid_t id = id_.load(std::memory_order_acquire);
  // It has hardly begun.
  if (id == 0) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core >= 0 && core < CPU_SETSIZE) CPU_SET(core, &cores);
  if (sched_setaffinity(id, sizeof cores, &cores) == 0) core_ = core;
  else is_impossible = true;
}

uint32_t CompanionThread::Run (CompanionJob* job, int64_t nanoseconds_max) {
  MoveHere();
  job_ = job;
  const uint32_t number = After(asked_.load(std::memory_order_relaxed));
  asked_.store(number, std::memory_order_release);
  Wake(&asked_);
  const uint64_t ends_at = uv_hrtime() + static_cast<uint64_t>(nanoseconds_max);
  for (;;) {
    const uint32_t done = done_.load(std::memory_order_acquire);
    if (done == number) return 0;
    const uint64_t now = uv_hrtime();
    if (now >= ends_at) return number;
    Sleep(&done_, done, ends_at - now);
  }
}

void CompanionThread::WaitFor (uint32_t number) {
  for (;;) {
    const uint32_t done = done_.load(std::memory_order_acquire);
    // Jobs are done in order, one at a time: whatever came after it ended after it.
    if (static_cast<int32_t>(done - number) >= 0) return;
    Sleep(&done_, done, 0);
  }
}

}  // namespace pcikit
