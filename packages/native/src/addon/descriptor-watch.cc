#include "modules.h"
#include "watcher.h"

namespace pcikit {

namespace {

/** Readiness of a descriptor that belongs to somebody else. */
class DescriptorWatch : public Watched {
 public:
  static napi_value New (napi_env env, napi_callback_info info) {
    const Call call(env, info);
    int fd = -1;
    if (!call.ReadDescriptor(0, &fd)) return nullptr;
    auto* watch = new DescriptorWatch(fd);
    const auto finalize = [] (napi_env, void* data, void*) { delete static_cast<DescriptorWatch*>(data); };
    if (napi_wrap(env, call.self(), watch, finalize, nullptr, nullptr) != napi_ok) delete watch;
    return nullptr;
  }

  static napi_value OnReadable (napi_env env, napi_callback_info info) {
    const Call call(env, info);
    auto* watch = call.Self<DescriptorWatch>();
    return watch == nullptr ? nullptr : watch->SetCallback(call, Watcher::kReadable, "PcikitDescriptorWatch");
  }

  static napi_value SetReferenced (napi_env env, napi_callback_info info) {
    const Call call(env, info);
    bool referenced = true;
    auto* watch = call.Self<DescriptorWatch>();
    if (watch == nullptr || !call.ReadBoolean(0, "Whether to keep the process running", &referenced)) return nullptr;
    watch->Watched::SetReferenced(referenced);
    return nullptr;
  }

  static napi_value Close (napi_env env, napi_callback_info info) {
    const Call call(env, info);
    auto* watch = call.Self<DescriptorWatch>();
    if (watch == nullptr) return nullptr;
    watch->CloseWatcher();
    watch->fd_ = -1;
    return nullptr;
  }

 private:
  explicit DescriptorWatch (int fd) : Watched(fd) {}
};

}  // namespace

void ExportDescriptorWatch (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("onReadable", DescriptorWatch::OnReadable),
      Method("setReferenced", DescriptorWatch::SetReferenced),
      Method("close", DescriptorWatch::Close),
  };
  ExportClass(env, exports, "DescriptorWatch", DescriptorWatch::New, std::size(properties), properties);
}

}  // namespace pcikit
