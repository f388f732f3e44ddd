#include "ring-workers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pcikit {

namespace {

/** With so many requests under way the threads are kept on a core; from so many on they are let go. */
constexpr size_t kKeptMax = 2;
constexpr size_t kLetGoMin = 5;
/** How often it is looked for threads that are new, in nanoseconds: often at first, for there may never be one. */
constexpr uint64_t kLookIntervalMin = 1000000;
constexpr uint64_t kLookIntervalMax = 1000000000;

/** Whether a thread of this process has this name. */
bool HasName (const char* thread, const char* name) {
  char path[64];
  char found[32] = {};
  const int length = snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread);
  if (length < 0 || static_cast<size_t>(length) >= sizeof path) return false;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t bytes = read(fd, found, sizeof found - 1);
  close(fd);
  if (bytes > 0 && found[bytes - 1] == '\n') found[bytes - 1] = '\0';
  return strcmp(found, name) == 0;
}

}  // namespace

RingWorkers& RingWorkers::OfThread () {
  thread_local RingWorkers workers;
  return workers;
}

void RingWorkers::Place () {
  if (!is_allowed_) return;
  const bool is_kept = in_flight_ <= kKeptMax;
  if (!is_kept && (core_ < 0 || in_flight_ < kLetGoMin)) return;
  const uint64_t now = uv_hrtime();
  const bool are_new = now >= look_at_;
  if (are_new) Find(now);
  const int core = is_kept ? sched_getcpu() : -1;
  if (threads_.empty() || (core == core_ && !are_new)) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core >= 0 && core < CPU_SETSIZE) CPU_SET(core, &cores);
  else if (sched_getaffinity(0, sizeof cores, &cores) != 0) return;
  core_ = core;
  Move(cores);
}

void RingWorkers::Find (uint64_t now) {
  threads_.clear();
  char name[32];
  // Named for the thread whose requests they run.
  snprintf(name, sizeof name, "iou-wrk-%ld", syscall(SYS_gettid));
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* entry = tasks == nullptr ? nullptr : readdir(tasks)) {
    if (HasName(entry->d_name, name)) threads_.push_back(atoi(entry->d_name));
  }
  if (tasks != nullptr) closedir(tasks);
  look_interval_ = threads_.empty() ? std::clamp(look_interval_ * 2, kLookIntervalMin, kLookIntervalMax)
                                    : kLookIntervalMax;
  look_at_ = now + look_interval_;
}

void RingWorkers::Move (const cpu_set_t& cores) {
  for (const pid_t thread : threads_) {
    // One that has ended is not found the next time.
    if (sched_setaffinity(thread, sizeof cores, &cores) != 0 && errno != ESRCH) is_allowed_ = false;
  }
}

}  // namespace pcikit
