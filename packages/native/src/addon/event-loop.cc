#include <poll.h>
#include <uv.h>

#include <iterator>

#include "arguments.h"
#include "environment.h"
#include "modules.h"

namespace pcikit {

namespace {

constexpr double kNanosecondsPerMillisecond = 1e6;

/** The event loop of an environment, as seen from within one of its turns. */
class EventLoop {
 public:
  static napi_value New (napi_env env, napi_callback_info info);
  static napi_value ReadClock (napi_env env, napi_callback_info info);
  static napi_value HasEvents (napi_env env, napi_callback_info info);

 private:
  EventLoop (uv_loop_t* loop, double* time) : loop_(loop), time_(time) {}

  uv_loop_t* loop_;
  /** In the array that JavaScript shares, which lives as long as the object. */
  double* time_;
};

napi_value EventLoop::New (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value time = nullptr;
  if (napi_create_arraybuffer(env, sizeof(double), &memory, &buffer) != napi_ok) return nullptr;
  if (napi_create_typedarray(env, napi_float64_array, 1, buffer, 0, &time) != napi_ok) return nullptr;
  if (napi_set_named_property(env, call.self(), "time", time) != napi_ok) return nullptr;
  auto* watch = new EventLoop(Environment::Of(env)->loop(), static_cast<double*>(memory));
  const auto finalize = [] (napi_env, void* data, void*) { delete static_cast<EventLoop*>(data); };
  if (napi_wrap(env, call.self(), watch, finalize, nullptr, nullptr) != napi_ok) delete watch;
  return nullptr;
}

/** Puts the time into the shared array: a returned number would be an object. */
napi_value EventLoop::ReadClock (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* watch = call.Self<EventLoop>();
  if (watch != nullptr) *watch->time_ = static_cast<double>(uv_hrtime()) / kNanosecondsPerMillisecond;
  return nullptr;
}

/** Whether a timer is due, or an immediate, with which libuv would wait for nothing. */
bool IsTimerDue (const uv_loop_t* loop) {
  const int timeout = uv_backend_timeout(loop);
  // As of the time that the loop goes by, which is read once for each of its turns.
  return timeout >= 0 &&
         static_cast<double>(uv_hrtime()) / kNanosecondsPerMillisecond >= static_cast<double>(uv_now(loop)) + timeout;
}

/** hasEvents(): looks at the timers of the loop, and at its epoll instance. */
napi_value EventLoop::HasEvents (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* watch = call.Self<EventLoop>();
  if (watch == nullptr) return nullptr;
  pollfd backend = {uv_backend_fd(watch->loop_), POLLIN, 0};
  napi_value result = nullptr;
  // A signal that comes in between is an event.
  napi_get_boolean(env, IsTimerDue(watch->loop_) || poll(&backend, 1, 0) != 0, &result);
  return result;
}

}  // namespace

void ExportEventLoop (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("readClock", EventLoop::ReadClock),
      Method("hasEvents", EventLoop::HasEvents),
  };
  ExportClass(env, exports, "EventLoop", EventLoop::New, std::size(properties), properties);
}

}  // namespace pcikit
