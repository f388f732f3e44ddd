#include <cstring>

#include "arguments.h"
#include "modules.h"

namespace pcikit {

namespace {

/** An array as it is now: of a detached one, nothing is left. */
struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

bool Look (napi_env env, napi_value value, Bytes* bytes) {
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &bytes->length, &data, nullptr, nullptr) != napi_ok) return false;
  bytes->data = static_cast<uint8_t*>(data);
  return type == napi_uint8_array;
}

/** Whether [offset, offset + length) lies inside. Numbers that are no integers are cut, NaN is not inside. */
bool IsInside (const Bytes& bytes, double offset, double length) {
  return offset >= 0 && length >= 0 && offset + length <= static_cast<double>(bytes.length);
}

/**
 * copyBytes(target, targetOffset, source, sourceOffset, length). It is called a million times in a second: everything
 * that is wrong is found by one comparison, and named only then.
 */
napi_value CopyBytes (napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  size_t count = 5;
  Bytes target;
  Bytes source;
  double target_offset = 0;
  double source_offset = 0;
  double length = 0;
  const bool is_read = napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) == napi_ok &&
      Look(env, arguments[0], &target) && napi_get_value_double(env, arguments[1], &target_offset) == napi_ok &&
      Look(env, arguments[2], &source) && napi_get_value_double(env, arguments[3], &source_offset) == napi_ok &&
      napi_get_value_double(env, arguments[4], &length) == napi_ok;
  if (!is_read) return ThrowType(env, "Bytes are copied from a Uint8Array to a Uint8Array, by offsets and a length.");
  if (!IsInside(target, target_offset, length) || !IsInside(source, source_offset, length)) {
    return ThrowRange(env, "The bytes to copy do not lie inside their arrays, or an array is detached.");
  }
  // The two may be the same memory, by way of two mappings.
  memmove(
      target.data + static_cast<size_t>(target_offset), source.data + static_cast<size_t>(source_offset),
      static_cast<size_t>(length));
  return nullptr;
}

}  // namespace

void ExportCopy (napi_env env, napi_value exports) {
  ExportFunction(env, exports, "copyBytes", CopyBytes);
}

}  // namespace pcikit
