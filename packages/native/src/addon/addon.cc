#include "environment.h"
#include "modules.h"

NAPI_MODULE_INIT() {
  using namespace pcikit;
  if (!Environment::Create(env)) {
    napi_throw_error(env, nullptr, "The native addon could not register with its Node environment.");
    return nullptr;
  }
  ExportSocket(env, exports);
  ExportListener(env, exports);
  ExportDescriptorWatch(env, exports);
  ExportDescriptors(env, exports);
  ExportEventFd(env, exports);
  ExportEventLoop(env, exports);
  ExportMapping(env, exports);
  ExportCopy(env, exports);
  ExportVectorIo(env, exports);
  ExportIoRing(env, exports);
  ExportFileControl(env, exports);
  return exports;
}
