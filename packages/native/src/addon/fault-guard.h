// Accesses to mapped memory that has no memory behind it any more must not end the process.

#ifndef PCIKIT_FAULT_GUARD_H_
#define PCIKIT_FAULT_GUARD_H_

namespace pcikit {

/**
 * Handles SIGSEGV and SIGBUS inside mapped ranges, from now on and for the whole process. Every other fault goes to
 * the handler that was there before (Node's own, for WebAssembly traps) or takes its default course.
 */
void InstallFaultGuard ();

}  // namespace pcikit

#endif  // PCIKIT_FAULT_GUARD_H_
