// One call of the kernel on libuv's thread pool, as a promise.

#ifndef PCIKIT_THREAD_POOL_H_
#define PCIKIT_THREAD_POOL_H_

#include <node_api.h>

#include <cstdint>

namespace pcikit {

/** Work that may block. Node waits for it before it ends an environment. */
class PoolWork {
 public:
  virtual ~PoolWork () = default;
  PoolWork (const PoolWork&) = delete;
  PoolWork& operator= (const PoolWork&) = delete;

  /** Hands `work` to the pool, which owns it from then on, and returns the promise of its result. */
  static napi_value Start (napi_env env, PoolWork* work);

 protected:
  /** `syscall` is named in the error that the promise rejects with. */
  explicit PoolWork (const char* syscall) : syscall_(syscall) {}

  /** Runs on a thread of the pool: returns what the promise resolves with, or a negative errno. */
  virtual int64_t Run () = 0;
  /** Runs on JavaScript's thread, after Run, and also when Run never started. */
  virtual void Finish (napi_env) {}

 private:
  static void Execute (napi_env env, void* data);
  static void Complete (napi_env env, napi_status status, void* data);

  const char* syscall_;
  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  int64_t result_ = 0;
};

}  // namespace pcikit

#endif  // PCIKIT_THREAD_POOL_H_
