#include <sys/mman.h>

#include <cerrno>
#include <vector>

#include "arguments.h"
#include "mapped-range.h"
#include "modules.h"

namespace pcikit {

namespace {

/** Node 20 has no larger typed array. */
constexpr int64_t kWindowBytesMax = int64_t{1} << 32;

/**
 * The hold of one array buffer on its range. The buffer's finalizer deletes it, and lets go of the range unless that
 * was done when the buffer was detached.
 */
struct WindowHold {
  MappedRange* range;

  void LetGo () {
    if (range != nullptr) range->LetGo();
    range = nullptr;
  }
};

struct Window {
  /** Weak: whoever uses the buffer keeps it. */
  napi_ref buffer;
  /** Lives at least as long as the buffer is attached. */
  WindowHold* hold;
};

/** A range of memory as JavaScript holds it: the range itself and the array buffers made over it. */
class Mapping {
 public:
  static napi_value New (napi_env env, napi_callback_info info);
  static napi_value MakeWindow (napi_env env, napi_callback_info info);
  static napi_value DetachWindow (napi_env env, napi_callback_info info);
  static napi_value Detach (napi_env env, napi_callback_info info);
  static napi_value Revoke (napi_env env, napi_callback_info info);
  static napi_value Unmap (napi_env env, napi_callback_info info);
  static napi_value FaultCount (napi_env env, napi_callback_info info);

 private:
  explicit Mapping (MappedRange* range) : range_(range) {}
  static void DetachOne (napi_env env, napi_value buffer, WindowHold* hold);
  void DetachAll (napi_env env);
  void ForgetCollected (napi_env env);

  /** Null once unmapped. */
  MappedRange* range_;
  std::vector<Window> windows_;
  size_t windows_checked_ = 64;
  uint32_t last_fault_count_ = 0;
};

napi_value Mapping::New (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int64_t fd = -1;
  int64_t offset = 0;
  int64_t bytes = 0;
  bool read = false;
  bool write = false;
  if (!call.ReadInteger(0, "The file descriptor", -1, INT32_MAX, &fd) ||
      !call.ReadInteger(1, "The offset", 0, kSafeIntegerMax, &offset) ||
      !call.ReadInteger(2, "The length", 1, kSafeIntegerMax, &bytes) ||
      !call.ReadBoolean(3, "read", &read) || !call.ReadBoolean(4, "write", &write)) {
    return nullptr;
  }
  if (offset > kSafeIntegerMax - bytes) return ThrowRange(env, "The offset plus the length must be below 2^53.");
  if (!read && !write) return ThrowRange(env, "A mapping must allow reading, writing or both.");
  // No processor that we run on has memory that can be written and not read.
  const int protection = PROT_READ | (write ? PROT_WRITE : 0);
  MappedRange* range = nullptr;
  const int error = MappedRange::Map(
      static_cast<int>(fd), static_cast<off_t>(offset), static_cast<size_t>(bytes), protection, &range);
  if (error != 0) return ThrowErrno(env, error, "mmap");
  auto* mapping = new Mapping(range);
  const auto finalize = [] (napi_env finalize_env, void* data, void*) {
    auto* self = static_cast<Mapping*>(data);
    for (const Window& window : self->windows_) napi_delete_reference(finalize_env, window.buffer);
    if (self->range_ != nullptr) self->range_->LetGo();
    delete self;
  };
  if (napi_wrap(env, call.self(), mapping, finalize, nullptr, nullptr) != napi_ok) {
    range->LetGo();
    delete mapping;
  }
  return nullptr;
}

napi_value Mapping::MakeWindow (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  int64_t offset = 0;
  int64_t bytes = 0;
  if (mapping == nullptr || !call.ReadInteger(0, "The offset", 0, kSafeIntegerMax, &offset) ||
      !call.ReadInteger(1, "The length", 1, kWindowBytesMax, &bytes)) {
    return nullptr;
  }
  MappedRange* range = mapping->range_;
  if (range == nullptr || range->is_revoked()) return ThrowErrno(env, EFAULT, "window");
  if (!CheckRange(env, "The mapping", offset, bytes, range->bytes())) return nullptr;
  mapping->ForgetCollected(env);

  // When V8 refuses to make the buffer it is not certain that the finalizer never runs: then the range stays held, and
  // its addresses are lost rather than used twice.
  range->Hold();
  auto* hold = new WindowHold{range};
  napi_value buffer = nullptr;
  const auto finalize = [] (napi_env, void*, void* hint) {
    auto* finalized = static_cast<WindowHold*>(hint);
    finalized->LetGo();
    delete finalized;
  };
  const napi_status status = napi_create_external_arraybuffer(
      env, range->data() + offset, static_cast<size_t>(bytes), finalize, hold, &buffer);
  napi_ref reference = nullptr;
  if (status != napi_ok || napi_create_reference(env, buffer, 0, &reference) != napi_ok) {
    return ThrowErrno(env, ENOMEM, "window");
  }
  mapping->windows_.push_back({reference, hold});
  return buffer;
}

/** Drops references to buffers that are gone, each time their number has doubled. */
void Mapping::ForgetCollected (napi_env env) {
  if (windows_.size() < windows_checked_) return;
  size_t kept = 0;
  for (const Window& window : windows_) {
    napi_value buffer = nullptr;
    napi_get_reference_value(env, window.buffer, &buffer);
    if (buffer == nullptr) napi_delete_reference(env, window.buffer);
    else windows_[kept++] = window;
  }
  windows_.erase(windows_.begin() + static_cast<ptrdiff_t>(kept), windows_.end());
  windows_checked_ = kept < 32 ? 64 : kept * 2;
}

void Mapping::DetachOne (napi_env env, napi_value buffer, WindowHold* hold) {
  // A buffer that is detached already gave its memory to another one, with ArrayBuffer.prototype.transfer, which is
  // out of reach. The hold then lasts until that one is collected.
  bool detached = true;
  if (napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok || detached) return;
  if (napi_detach_arraybuffer(env, buffer) == napi_ok) hold->LetGo();
}

void Mapping::DetachAll (napi_env env) {
  for (const Window& window : windows_) {
    napi_handle_scope scope = nullptr;
    napi_value buffer = nullptr;
    napi_open_handle_scope(env, &scope);
    if (napi_get_reference_value(env, window.buffer, &buffer) == napi_ok && buffer != nullptr) {
      DetachOne(env, buffer, window.hold);
    }
    napi_delete_reference(env, window.buffer);
    napi_close_handle_scope(env, scope);
  }
  windows_.clear();
}

napi_value Mapping::DetachWindow (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  if (mapping == nullptr) return nullptr;
  for (size_t index = 0; index < mapping->windows_.size(); index += 1) {
    napi_value buffer = nullptr;
    bool same = false;
    napi_get_reference_value(env, mapping->windows_[index].buffer, &buffer);
    if (buffer == nullptr || napi_strict_equals(env, buffer, call.argument(0), &same) != napi_ok || !same) continue;
    DetachOne(env, buffer, mapping->windows_[index].hold);
    napi_delete_reference(env, mapping->windows_[index].buffer);
    mapping->windows_[index] = mapping->windows_.back();
    mapping->windows_.pop_back();
    return nullptr;
  }
  return ThrowType(env, "The array buffer is not a window of this mapping.");
}

napi_value Mapping::Detach (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  if (mapping != nullptr) mapping->DetachAll(env);
  return nullptr;
}

napi_value Mapping::Revoke (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  if (mapping == nullptr || mapping->range_ == nullptr) return nullptr;
  mapping->DetachAll(env);
  const int error = mapping->range_->Revoke();
  return error == 0 ? nullptr : ThrowErrno(env, error, "mmap");
}

napi_value Mapping::Unmap (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  if (mapping == nullptr || mapping->range_ == nullptr) return nullptr;
  MappedRange* range = mapping->range_;
  mapping->DetachAll(env);
  // A transfer of the kernel in flight, or a buffer out of reach, keeps the addresses reserved until it is over. The
  // memory itself goes now.
  const int error = range->IsHeldOnce() ? 0 : range->Revoke();
  if (error != 0) return ThrowErrno(env, error, "mmap");
  mapping->last_fault_count_ = range->fault_count();
  mapping->range_ = nullptr;
  range->LetGo();
  return nullptr;
}

napi_value Mapping::FaultCount (napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* mapping = call.Self<Mapping>();
  if (mapping == nullptr) return nullptr;
  const MappedRange* range = mapping->range_;
  return Number(env, range == nullptr ? mapping->last_fault_count_ : range->fault_count());
}

/** Lets JavaScript look at the counter of faults, without a call for each look. */
void ExportRepairCounter (napi_env env, napi_value exports) {
  napi_value buffer = nullptr;
  napi_value counter = nullptr;
  // The memory is there for as long as the process is.
  if (napi_create_external_arraybuffer(
          env, MappedRange::RepairCounter(), sizeof(uint32_t), nullptr, nullptr, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_int32_array, 1, buffer, 0, &counter) != napi_ok) {
    return;
  }
  napi_set_named_property(env, exports, "repairedFaults", counter);
}

}  // namespace

void ExportMapping (napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("window", Mapping::MakeWindow),   Method("detachWindow", Mapping::DetachWindow),
      Method("detach", Mapping::Detach),   Method("revoke", Mapping::Revoke),
      Method("unmap", Mapping::Unmap),     Getter("faultCount", Mapping::FaultCount),
  };
  ExportClass(env, exports, "Mapping", Mapping::New, std::size(properties), properties);
  ExportRepairCounter(env, exports);
}

}  // namespace pcikit
