#include "arguments.h"

#include <uv.h>

#include <climits>
#include <cmath>

namespace pcikit {

Call::Call (napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kArgumentsMax;
  // Arguments that were not given come out as undefined.
  napi_get_cb_info(env, info, &count, arguments_, &self_, nullptr);
}

bool Call::IsUndefined (size_t index) const {
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, arguments_[index], &type);
  return type == napi_undefined;
}

bool Call::ReadInteger (size_t index, const char* name, int64_t min, int64_t max, int64_t* result) const {
  return ReadIntegerValue(env_, arguments_[index], name, min, max, result);
}

bool Call::ReadDescriptor (size_t index, int* result) const {
  int64_t value = 0;
  if (!ReadInteger(index, "The file descriptor", 0, INT_MAX, &value)) return false;
  *result = static_cast<int>(value);
  return true;
}

bool Call::ReadBoolean (size_t index, const char* name, bool* result) const {
  if (napi_get_value_bool(env_, arguments_[index], result) == napi_ok) return true;
  ThrowType(env_, std::string(name) + " must be a boolean.");
  return false;
}

bool Call::ReadString (size_t index, const char* name, std::string* result) const {
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, arguments_[index], nullptr, 0, &length) != napi_ok) {
    ThrowType(env_, std::string(name) + " must be a string.");
    return false;
  }
  result->resize(length);
  napi_get_value_string_utf8(env_, arguments_[index], &(*result)[0], length + 1, &length);
  if (result->find('\0') != std::string::npos) {
    ThrowType(env_, std::string(name) + " must not contain a NUL character.");
    return false;
  }
  return true;
}

bool Call::ReadFunction (size_t index, const char* name, napi_value* result) const {
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, arguments_[index], &type);
  if (type != napi_function) {
    ThrowType(env_, std::string(name) + " must be a function.");
    return false;
  }
  *result = arguments_[index];
  return true;
}

bool Call::ReadBytes (size_t index, const char* name, uint8_t** data, size_t* length) const {
  size_t available = 0;
  int64_t offset = 0;
  int64_t count = 0;
  if (!ReadUint8Array(env_, arguments_[index], name, data, &available)) return false;
  if (!ReadInteger(index + 1, "The offset", 0, kSafeIntegerMax, &offset)) return false;
  if (!ReadInteger(index + 2, "The length", 0, kSafeIntegerMax, &count)) return false;
  if (!CheckRange(env_, name, offset, count, available)) return false;
  *data += offset;
  *length = static_cast<size_t>(count);
  return true;
}

void Call::ThrowIllegalReceiver () const {
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (!pending) ThrowType(env_, "The method was called on an object of another class.");
}

bool ReadIntegerValue (
    napi_env env, napi_value value, const char* name, int64_t min, int64_t max, int64_t* result) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    ThrowType(env, std::string(name) + " must be a number.");
    return false;
  }
  // NaN fails the comparison; the bounds are exact as doubles because they are safe integers.
  const bool inside = number >= static_cast<double>(min) && number <= static_cast<double>(max);
  if (!inside || number != std::floor(number)) {
    ThrowRange(env, std::string(name) + " must be an integer from " + std::to_string(min) + " to " +
                        std::to_string(max) + ".");
    return false;
  }
  *result = static_cast<int64_t>(number);
  return true;
}

bool ReadUint8Array (napi_env env, napi_value value, const char* name, uint8_t** data, size_t* length) {
  napi_typedarray_type type = napi_int8_array;
  void* memory = nullptr;
  if (napi_get_typedarray_info(env, value, &type, length, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    ThrowType(env, std::string(name) + " must be a Uint8Array.");
    return false;
  }
  *data = static_cast<uint8_t*>(memory);
  return true;
}

bool CheckRange (napi_env env, const char* name, int64_t offset, int64_t length, size_t available) {
  const uint64_t limit = available;
  if (static_cast<uint64_t>(offset) <= limit && static_cast<uint64_t>(length) <= limit - offset) return true;
  ThrowRange(env, std::string(name) + " has " + std::to_string(available) + " bytes; offset " +
                      std::to_string(offset) + " and length " + std::to_string(length) + " go past its end.");
  return false;
}

napi_value ThrowType (napi_env env, const std::string& message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message.c_str());
  return nullptr;
}

napi_value ThrowRange (napi_env env, const std::string& message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message.c_str());
  return nullptr;
}

napi_value CreateErrnoError (napi_env env, int error, const char* syscall, const char* path) {
  char name[32];
  char reason[128];
  uv_err_name_r(-error, name, sizeof name);
  uv_strerror_r(-error, reason, sizeof reason);
  std::string text = std::string(name) + ": " + reason + ", " + syscall;
  if (path != nullptr) text += std::string(" '") + path + "'";

  napi_value code = nullptr;
  napi_value message = nullptr;
  napi_value result = nullptr;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, text.c_str(), text.size(), &message);
  if (napi_create_error(env, code, message, &result) != napi_ok) return nullptr;
  SetNumber(env, result, "errno", -error);
  SetString(env, result, "syscall", syscall);
  if (path != nullptr) SetString(env, result, "path", path);
  return result;
}

napi_value ThrowErrno (napi_env env, int error, const char* syscall, const char* path) {
  napi_value value = CreateErrnoError(env, error, syscall, path);
  if (value != nullptr) napi_throw(env, value);
  return nullptr;
}

napi_value Number (napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value Integer (napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value Boolean (napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value Undefined (napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

void SetNumber (napi_env env, napi_value object, const char* name, double value) {
  napi_set_named_property(env, object, name, Number(env, value));
}

void SetBoolean (napi_env env, napi_value object, const char* name, bool value) {
  napi_set_named_property(env, object, name, Boolean(env, value));
}

void SetString (napi_env env, napi_value object, const char* name, const char* value) {
  napi_value text = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, object, name, text);
}

void ExportFunction (napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

void ExportClass (
    napi_env env, napi_value exports, const char* name, napi_callback constructor, size_t property_count,
    const napi_property_descriptor* properties) {
  napi_value result = nullptr;
  napi_define_class(env, name, NAPI_AUTO_LENGTH, constructor, nullptr, property_count, properties, &result);
  napi_set_named_property(env, exports, name, result);
}

}  // namespace pcikit
