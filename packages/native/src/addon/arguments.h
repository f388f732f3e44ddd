// Reading and checking the arguments of a call, and throwing what JavaScript expects.

#ifndef PCIKIT_ARGUMENTS_H_
#define PCIKIT_ARGUMENTS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace pcikit {

/** The largest integer that a double holds exactly, with all those below it. */
constexpr int64_t kSafeIntegerMax = (int64_t{1} << 53) - 1;

/**
 * One call from JavaScript. Every Read function leaves an exception pending and returns false when the argument is
 * not what it should be; the caller then returns nullptr.
 */
class Call {
 public:
  static constexpr size_t kArgumentsMax = 8;

  Call (napi_env env, napi_callback_info info);

  napi_env env () const { return env_; }
  napi_value self () const { return self_; }
  napi_value argument (size_t index) const { return arguments_[index]; }

  bool IsUndefined (size_t index) const;
  bool ReadInteger (size_t index, const char* name, int64_t min, int64_t max, int64_t* result) const;
  bool ReadDescriptor (size_t index, int* result) const;
  bool ReadBoolean (size_t index, const char* name, bool* result) const;
  /** Reads a string without NUL, as paths and names are. */
  bool ReadString (size_t index, const char* name, std::string* result) const;
  bool ReadFunction (size_t index, const char* name, napi_value* result) const;
  /** Reads a Uint8Array argument and the part of it that the two following arguments, offset and length, select. */
  bool ReadBytes (size_t index, const char* name, uint8_t** data, size_t* length) const;

  /** The native object behind `this`; null with an exception pending when there is none. */
  template <class T>
  T* Self () const {
    void* object = nullptr;
    if (napi_unwrap(env_, self_, &object) == napi_ok && object != nullptr) return static_cast<T*>(object);
    ThrowIllegalReceiver();
    return nullptr;
  }

 private:
  void ThrowIllegalReceiver () const;

  napi_env env_;
  napi_value self_ = nullptr;
  napi_value arguments_[kArgumentsMax];
};

/** Reads an integer value, or throws and returns false. */
bool ReadIntegerValue (
    napi_env env, napi_value value, const char* name, int64_t min, int64_t max, int64_t* result);

/** Reads a Uint8Array's memory, or throws and returns false. A detached array reads as empty. */
bool ReadUint8Array (napi_env env, napi_value value, const char* name, uint8_t** data, size_t* length);

/** Checks that [offset, offset + length) lies inside `available` bytes, or throws a RangeError and returns false. */
bool CheckRange (napi_env env, const char* name, int64_t offset, int64_t length, size_t available);

napi_value ThrowType (napi_env env, const std::string& message);
napi_value ThrowRange (napi_env env, const std::string& message);

/** An Error in the shape of Node's own system errors: code, errno (negative), syscall, path, message. */
napi_value CreateErrnoError (napi_env env, int error, const char* syscall, const char* path = nullptr);
/** Throws the same, and returns nullptr for the caller to return. */
napi_value ThrowErrno (napi_env env, int error, const char* syscall, const char* path = nullptr);

napi_value Number (napi_env env, double value);
napi_value Integer (napi_env env, int32_t value);
napi_value Boolean (napi_env env, bool value);
napi_value Undefined (napi_env env);

void SetNumber (napi_env env, napi_value object, const char* name, double value);
void SetBoolean (napi_env env, napi_value object, const char* name, bool value);
void SetString (napi_env env, napi_value object, const char* name, const char* value);

/** Defines a function on the module's exports. */
void ExportFunction (napi_env env, napi_value exports, const char* name, napi_callback callback);

/** Defines a class on the module's exports. */
void ExportClass (
    napi_env env, napi_value exports, const char* name, napi_callback constructor, size_t property_count,
    const napi_property_descriptor* properties);

/** One method of a class. */
inline napi_property_descriptor Method (const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

/** One read-only accessor of a class. */
inline napi_property_descriptor Getter (const char* name, napi_callback callback) {
  return {name, nullptr, nullptr, callback, nullptr, nullptr, napi_default, nullptr};
}

}  // namespace pcikit

#endif  // PCIKIT_ARGUMENTS_H_
