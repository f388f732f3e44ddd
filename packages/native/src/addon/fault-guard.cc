#include "fault-guard.h"

#include <signal.h>

#include <cerrno>
#include <mutex>

#include "mapped-range.h"

namespace pcikit {

namespace {

// A signal handler has no other place to find these: one set for each process, written once, before it is installed.
struct sigaction previous_segv;
struct sigaction previous_bus;

/** True for a fault that an access of this thread caused, and that other memory under the address would cure. */
bool IsAccessFault (int signal, const siginfo_t* info) {
  if (signal == SIGSEGV) return info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR;
  return info->si_code == BUS_ADRERR;
}

void PassOn (int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = signal == SIGSEGV ? previous_segv : previous_bus;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
    return;
  }
  const bool was_sent = info->si_code <= 0;
  if (previous.sa_handler == SIG_IGN && was_sent) return;
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
    return;
  }
  // With the default course restored, the same access faults again and ends the process as it would have without us.
  struct sigaction course = {};
  course.sa_handler = SIG_DFL;
  sigaction(signal, &course, nullptr);
  if (was_sent) raise(signal);
}

void OnFault (int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool repaired = IsAccessFault(signal, info) && MappedRange::Repair(info->si_addr);
  if (!repaired) PassOn(signal, info, context);
  errno = saved;
}

void Install (int signal, struct sigaction* previous) {
  sigaction(signal, nullptr, previous);
  struct sigaction action = {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void InstallFaultGuard () {
  static std::once_flag once;
  std::call_once(once, [] {
    Install(SIGSEGV, &previous_segv);
    Install(SIGBUS, &previous_bus);
  });
}

}  // namespace pcikit
