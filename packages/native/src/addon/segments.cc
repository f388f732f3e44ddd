#include "segments.h"

namespace pcikit {

namespace {

constexpr int64_t kSegmentsMax = 65536;

}  // namespace

bool Segments::Read (const Call& call, size_t first) {
  parts_.clear();
  sources_.clear();
  parts_done_ = 0;
  bytes_ = 0;
  done_ = 0;
  int64_t count = 0;
  if (!call.ReadInteger(first + 3, "The segment count", 0, kSegmentsMax, &count)) return false;
  for (size_t index = first; index < first + 3; index += 1) {
    bool is_array = false;
    napi_is_array(call.env(), call.argument(index), &is_array);
    if (!is_array) {
      ThrowType(call.env(), "The buffers, the offsets and the lengths must be arrays.");
      return false;
    }
  }
  parts_.reserve(static_cast<size_t>(count));
  sources_.reserve(static_cast<size_t>(count));
  for (uint32_t index = 0; index < count; index += 1) {
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(call.env(), &scope);
    const bool read = ReadOne(call, first, index);
    napi_close_handle_scope(call.env(), scope);
    if (!read) return false;
  }
  return true;
}

bool Segments::ReadOne (const Call& call, size_t first, uint32_t index) {
  napi_env env = call.env();
  napi_value values[3];
  for (size_t at = 0; at < 3; at += 1) {
    if (napi_get_element(env, call.argument(first + at), index, &values[at]) != napi_ok) return false;
  }
  uint8_t* data = nullptr;
  size_t available = 0;
  int64_t offset = 0;
  int64_t length = 0;
  if (!ReadUint8Array(env, values[0], "A buffer", &data, &available) ||
      !ReadIntegerValue(env, values[1], "An offset", 0, kSafeIntegerMax, &offset) ||
      !ReadIntegerValue(env, values[2], "A length", 0, kSafeIntegerMax, &length) ||
      !CheckRange(env, "The buffer", offset, length, available)) {
    return false;
  }
  if (length == 0) return true;
  if (length > kSafeIntegerMax - bytes_) {
    ThrowRange(env, "The segments are too long together.");
    return false;
  }
  bytes_ += length;
  parts_.push_back({data + offset, static_cast<size_t>(length)});
  sources_.push_back(index);
  return true;
}

void Segments::Hold (napi_env env, const Call& call, size_t first) {
  for (size_t at = 0; at < parts_.size(); at += 1) {
    MappedRange* range = MappedRange::Find(parts_[at].iov_base, parts_[at].iov_len);
    if (range != nullptr) {
      ranges_.push_back(range);
      continue;
    }
    napi_value array = nullptr;
    napi_ref reference = nullptr;
    napi_get_element(env, call.argument(first), sources_[at], &array);
    if (napi_create_reference(env, array, 1, &reference) == napi_ok) arrays_.push_back(reference);
  }
}

void Segments::LetGo (napi_env env) {
  for (MappedRange* range : ranges_) range->LetGo();
  for (napi_ref array : arrays_) napi_delete_reference(env, array);
  ranges_.clear();
  arrays_.clear();
}

void Segments::Advance (size_t moved) {
  done_ += static_cast<int64_t>(moved);
  while (count() != 0 && moved >= data()->iov_len) {
    moved -= data()->iov_len;
    parts_done_ += 1;
  }
  if (moved == 0) return;
  iovec* part = data();
  part->iov_base = static_cast<uint8_t*>(part->iov_base) + moved;
  part->iov_len -= moved;
}

}  // namespace pcikit
