// Readiness of a file descriptor, through the environment's event loop.

#ifndef PCIKIT_WATCHER_H_
#define PCIKIT_WATCHER_H_

#include <node_api.h>
#include <uv.h>

#include <memory>

#include "arguments.h"
#include "environment.h"

namespace pcikit {

/**
 * A uv_poll_t with a callback for each direction. It does not own the descriptor, but must be closed before it is. It
 * frees itself after Close, once libuv has let go of the handle.
 */
class Watcher {
 public:
  enum Direction { kReadable = 0, kWritable = 1 };

  /**
   * Makes a watcher for `fd` and stores it in `slot`, which is cleared when the watcher closes, by its owner or with
   * the environment. False with an exception pending when the descriptor cannot be polled.
   */
  static bool Open (napi_env env, int fd, const char* resource_name, Watcher** slot);

  /**
   * Sets or, with a null `callback`, clears the callback of one direction. While any is set, `owner` is kept from
   * being collected. False with an exception pending when libuv refuses.
   */
  bool Set (Direction direction, napi_value callback, napi_value owner);
  /** Whether active callbacks keep the event loop, and so the process, running. */
  void SetReferenced (bool referenced);
  /** Stops at once; no callback runs afterwards. */
  void Close ();

 private:
  Watcher (std::shared_ptr<Environment> environment, Watcher** slot)
      : environment_(std::move(environment)), slot_(slot) {}

  static void OnPoll (uv_poll_t* handle, int status, int events);
  void Invoke (Direction direction);
  bool Update (napi_value owner);
  void Hold (napi_value owner);
  void Release ();

  std::shared_ptr<Environment> environment_;
  Watcher** slot_;
  uv_poll_t poll_;
  napi_async_context context_ = nullptr;
  napi_ref resource_ = nullptr;
  napi_ref owner_ = nullptr;
  napi_ref callbacks_[2] = {nullptr, nullptr};
  bool closed_ = false;
};

/**
 * The part that a socket, a listener and a plain watch share: a watcher that is opened when the first callback is
 * set, and the methods onReadable, onWritable, ref and unref on top of it.
 */
class Watched {
 public:
  napi_value SetCallback (const Call& call, Watcher::Direction direction, const char* resource_name);
  void SetReferenced (bool referenced);
  void CloseWatcher ();

  int fd () const { return fd_; }

 protected:
  explicit Watched (int fd) : fd_(fd) {}
  ~Watched () { CloseWatcher(); }
  Watched (const Watched&) = delete;
  Watched& operator= (const Watched&) = delete;

  int fd_;

 private:
  Watcher* watcher_ = nullptr;
  bool referenced_ = true;
};

}  // namespace pcikit

#endif  // PCIKIT_WATCHER_H_
