#include "environment.h"

#include "watcher.h"

namespace pcikit {

using Holder = std::shared_ptr<Environment>;

bool Environment::Create (napi_env env) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return false;
  auto* holder = new Holder(new Environment(env, loop));
  const auto finalize = [] (napi_env, void* data, void*) { delete static_cast<Holder*>(data); };
  if (napi_set_instance_data(env, holder, finalize, nullptr) != napi_ok) {
    delete holder;
    return false;
  }
  return napi_add_async_cleanup_hook(env, OnCleanup, holder->get(), &(*holder)->hook_) == napi_ok;
}

std::shared_ptr<Environment> Environment::Of (napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Holder*>(data);
}

void Environment::Closing (Watcher* watcher) {
  open_.erase(watcher);
  handles_closing_ += 1;
}

void Environment::Closed () {
  handles_closing_ -= 1;
  if (closing_ && handles_closing_ == 0) napi_remove_async_cleanup_hook(hook_);
}

void Environment::OnCleanup (napi_async_cleanup_hook_handle handle, void* data) {
  auto* environment = static_cast<Environment*>(data);
  // The handle given here is the one to remove: on early shutdown the hook may run before it was stored.
  environment->hook_ = handle;
  environment->closing_ = true;
  while (!environment->open_.empty()) (*environment->open_.begin())->Close();
  if (environment->handles_closing_ == 0) napi_remove_async_cleanup_hook(handle);
}

}  // namespace pcikit
