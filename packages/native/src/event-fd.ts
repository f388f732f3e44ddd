import { addon } from './load-addon.js'

/** A new event counter, non-blocking and close-on-exec. Returns its descriptor. */
export function createEventFd (initial = 0): number {
  return addon().createEventFd(initial)
}

/**
 * Makes a received descriptor fit for `signalEventFd`: non-blocking, because a full counter would stop the process.
 * Throws a system error `EINVAL` when it is not an eventfd, `EBADF` when it is not open.
 */
export function adoptEventFd (fd: number): void {
  addon().adoptEventFd(fd)
}

/**
 * Adds `value` to an event counter. Returns 0 or a negative errno, and never waits: `-EAGAIN` means that the counter is
 * full, so that whoever listens has not looked yet.
 */
export function signalEventFd (fd: number, value = 1): number {
  return addon().signalEventFd(fd, value)
}

/**
 * Takes the count of an event counter, which is zero afterwards. Returns `-EAGAIN` when it is zero already, or another
 * negative errno.
 */
export function readEventFd (fd: number): number {
  return addon().readEventFd(fd)
}

/**
 * Lets whoever else is ready have the processor first, by sched_yield(2). A program that spins calls it when it has
 * woken somebody, who may otherwise have to wait until the program's time is up: that can take milliseconds.
 */
export function yieldProcessor (): void {
  addon().yieldProcessor()
}
