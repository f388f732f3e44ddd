// What the addon keeps for each Node environment (the main thread or a worker).

#ifndef PCIKIT_ENVIRONMENT_H_
#define PCIKIT_ENVIRONMENT_H_

#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <memory>
#include <unordered_set>

namespace pcikit {

class Watcher;

/**
 * Closes every libuv handle of an environment before its event loop is closed, and keeps the environment alive until
 * their close callbacks have run. Objects hold it by shared pointer, because finalizers run in no promised order.
 */
class Environment {
 public:
  /** Creates the environment's record when the module is loaded; null with an exception pending on failure. */
  static bool Create (napi_env env);
  /** The record of the running environment. */
  static std::shared_ptr<Environment> Of (napi_env env);

  napi_env env () const { return env_; }
  uv_loop_t* loop () const { return loop_; }
  /** True once the environment is shutting down: no JavaScript may run any more. */
  bool is_closing () const { return closing_; }

  void Opened (Watcher* watcher) { open_.insert(watcher); }
  void Closing (Watcher* watcher);
  void Closed ();

 private:
  Environment (napi_env env, uv_loop_t* loop) : env_(env), loop_(loop) {}
  static void OnCleanup (napi_async_cleanup_hook_handle handle, void* data);

  napi_env env_;
  uv_loop_t* loop_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::unordered_set<Watcher*> open_;
  size_t handles_closing_ = 0;
  bool closing_ = false;
};

}  // namespace pcikit

#endif  // PCIKIT_ENVIRONMENT_H_
