#include "watcher.h"

#include <cerrno>

namespace pcikit {

bool Watcher::Open (napi_env env, int fd, const char* resource_name, Watcher** slot) {
  auto* watcher = new Watcher(Environment::Of(env), slot);
  const int status = uv_poll_init(watcher->environment_->loop(), &watcher->poll_, fd);
  if (status != 0) {
    delete watcher;
    ThrowErrno(env, -status, "epoll_ctl");
    return false;
  }
  *slot = watcher;
  watcher->poll_.data = watcher;
  watcher->environment_->Opened(watcher);

  napi_value resource = nullptr;
  napi_value name = nullptr;
  napi_create_object(env, &resource);
  napi_create_string_utf8(env, resource_name, NAPI_AUTO_LENGTH, &name);
  if (napi_async_init(env, resource, name, &watcher->context_) != napi_ok ||
      napi_create_reference(env, resource, 1, &watcher->resource_) != napi_ok) {
    watcher->Close();
    return false;
  }
  return true;
}

bool Watcher::Set (Direction direction, napi_value callback, napi_value owner) {
  napi_env env = environment_->env();
  napi_ref& slot = callbacks_[direction];
  if (slot != nullptr) napi_delete_reference(env, slot);
  slot = nullptr;
  if (callback != nullptr) napi_create_reference(env, callback, 1, &slot);
  return Update(owner);
}

bool Watcher::Update (napi_value owner) {
  int events = 0;
  if (callbacks_[kReadable] != nullptr) events |= UV_READABLE;
  if (callbacks_[kWritable] != nullptr) events |= UV_WRITABLE;
  if (events == 0) {
    uv_poll_stop(&poll_);
    Release();
    return true;
  }
  const int status = uv_poll_start(&poll_, events, OnPoll);
  if (status != 0) {
    ThrowErrno(environment_->env(), -status, "epoll_ctl");
    return false;
  }
  Hold(owner);
  return true;
}

void Watcher::Hold (napi_value owner) {
  if (owner_ == nullptr && owner != nullptr) napi_create_reference(environment_->env(), owner, 1, &owner_);
}

void Watcher::Release () {
  if (owner_ != nullptr) napi_delete_reference(environment_->env(), owner_);
  owner_ = nullptr;
}

void Watcher::SetReferenced (bool referenced) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  if (referenced) uv_ref(handle);
  else uv_unref(handle);
}

void Watcher::OnPoll (uv_poll_t* handle, int status, int events) {
  auto* watcher = static_cast<Watcher*>(handle->data);
  napi_env env = watcher->environment_->env();
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  // libuv reports a pending error of the descriptor as a status and stops. The owner learns what it is from its next
  // call on the descriptor, which also clears it; then watching goes on.
  const bool failed = status < 0;
  if (failed || (events & UV_READABLE) != 0) watcher->Invoke(kReadable);
  // A callback may close the watcher. Its memory stays until libuv calls back, which is never inside this call.
  if (failed || (events & UV_WRITABLE) != 0) watcher->Invoke(kWritable);
  if (failed && !watcher->closed_) watcher->Update(nullptr);
  napi_close_handle_scope(env, scope);
}

void Watcher::Invoke (Direction direction) {
  if (closed_ || callbacks_[direction] == nullptr) return;
  napi_env env = environment_->env();
  napi_value callback = nullptr;
  napi_value receiver = nullptr;
  napi_get_reference_value(env, callbacks_[direction], &callback);
  napi_get_reference_value(env, resource_, &receiver);
  const napi_status status = napi_make_callback(env, context_, receiver, callback, 0, nullptr, nullptr);
  if (status == napi_ok) return;
  bool pending = false;
  napi_value error = nullptr;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

void Watcher::Close () {
  if (closed_) return;
  closed_ = true;
  *slot_ = nullptr;
  napi_env env = environment_->env();
  for (napi_ref& slot : callbacks_) {
    if (slot != nullptr) napi_delete_reference(env, slot);
    slot = nullptr;
  }
  Release();
  if (resource_ != nullptr) napi_delete_reference(env, resource_);
  resource_ = nullptr;
  if (context_ != nullptr) napi_async_destroy(env, context_);
  context_ = nullptr;
  environment_->Closing(this);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [] (uv_handle_t* handle) {
    auto* watcher = static_cast<Watcher*>(handle->data);
    std::shared_ptr<Environment> environment = watcher->environment_;
    delete watcher;
    environment->Closed();
  });
}

napi_value Watched::SetCallback (const Call& call, Watcher::Direction direction, const char* resource_name) {
  napi_value callback = nullptr;
  if (!call.IsUndefined(0) && !call.ReadFunction(0, "The callback", &callback)) return nullptr;
  if (fd_ < 0) return callback == nullptr ? nullptr : ThrowErrno(call.env(), EBADF, "epoll_ctl");
  if (watcher_ == nullptr) {
    if (callback == nullptr) return nullptr;
    if (!Watcher::Open(call.env(), fd_, resource_name, &watcher_)) return nullptr;
    watcher_->SetReferenced(referenced_);
  }
  watcher_->Set(direction, callback, call.self());
  return nullptr;
}

void Watched::SetReferenced (bool referenced) {
  referenced_ = referenced;
  if (watcher_ != nullptr) watcher_->SetReferenced(referenced);
}

void Watched::CloseWatcher () {
  if (watcher_ != nullptr) watcher_->Close();
}

}  // namespace pcikit
