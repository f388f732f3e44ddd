// What each part of the addon adds to the module's exports.

#ifndef PCIKIT_MODULES_H_
#define PCIKIT_MODULES_H_

#include <node_api.h>

namespace pcikit {

void ExportSocket (napi_env env, napi_value exports);
void ExportListener (napi_env env, napi_value exports);
void ExportDescriptorWatch (napi_env env, napi_value exports);
void ExportDescriptors (napi_env env, napi_value exports);
void ExportEventFd (napi_env env, napi_value exports);
void ExportEventLoop (napi_env env, napi_value exports);
void ExportMapping (napi_env env, napi_value exports);
void ExportCopy (napi_env env, napi_value exports);
void ExportVectorIo (napi_env env, napi_value exports);
void ExportIoRing (napi_env env, napi_value exports);
void ExportFileControl (napi_env env, napi_value exports);

}  // namespace pcikit

#endif  // PCIKIT_MODULES_H_
