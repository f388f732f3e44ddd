#include "thread-pool.h"

#include <cerrno>

#include "arguments.h"

namespace pcikit {

napi_value PoolWork::Start (napi_env env, PoolWork* work) {
  napi_value promise = nullptr;
  napi_value name = nullptr;
  napi_create_string_utf8(env, work->syscall_, NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, nullptr, name, Execute, Complete, work, &work->work_) != napi_ok ||
      napi_create_promise(env, &work->deferred_, &promise) != napi_ok ||
      napi_queue_async_work(env, work->work_) != napi_ok) {
    if (work->work_ != nullptr) napi_delete_async_work(env, work->work_);
    work->Finish(env);
    delete work;
    return ThrowErrno(env, ENOMEM, "uv_queue_work");
  }
  return promise;
}

void PoolWork::Execute (napi_env, void* data) {
  auto* work = static_cast<PoolWork*>(data);
  work->result_ = work->Run();
}

void PoolWork::Complete (napi_env env, napi_status status, void* data) {
  auto* work = static_cast<PoolWork*>(data);
  work->Finish(env);
  const int64_t result = status == napi_cancelled ? -ECANCELED : work->result_;
  if (result >= 0) {
    napi_resolve_deferred(env, work->deferred_, Number(env, static_cast<double>(result)));
  } else {
    napi_value error = CreateErrnoError(env, static_cast<int>(-result), work->syscall_);
    if (error != nullptr) napi_reject_deferred(env, work->deferred_, error);
  }
  napi_delete_async_work(env, work->work_);
  delete work;
}

}  // namespace pcikit
