#include "mapped-range.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "fault-guard.h"

namespace pcikit {

namespace {

/**
 * A spin lock that knows its owner, so that the fault handler can tell a fault of the table's own code, which it must
 * not wait for, from a table that another thread changes at the moment.
 */
class TableLock {
 public:
  bool IsMine () const { return owner_.load(std::memory_order_relaxed) == Self(); }

  void lock () {
    uintptr_t nobody = 0;
    while (!owner_.compare_exchange_weak(nobody, Self(), std::memory_order_acquire, std::memory_order_relaxed)) {
      nobody = 0;
      sched_yield();
    }
  }

  void unlock () { owner_.store(0, std::memory_order_release); }

 private:
  static uintptr_t Self () { return reinterpret_cast<uintptr_t>(reinterpret_cast<void*>(pthread_self())); }

  std::atomic<uintptr_t> owner_{0};
};

using RangesByEnd = std::map<uintptr_t, MappedRange*>;

TableLock table_lock;
std::atomic<uint32_t> repair_count{0};

/** Never destroyed: ranges may be let go while the process runs its exit handlers. */
RangesByEnd& Table () {
  static auto* table = new RangesByEnd();
  return *table;
}

class Locked {
 public:
  Locked () { table_lock.lock(); }
  ~Locked () { table_lock.unlock(); }
  Locked (const Locked&) = delete;
  Locked& operator= (const Locked&) = delete;
};

/** HUGETLBFS_MAGIC of linux/magic.h. The kernel's own headers are not installed with every C library. */
constexpr uint32_t kHugePageFileSystem = 0x958458f6;

size_t MappedPageBytes (int fd) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  struct statfs status;
  if (fd < 0 || fstatfs(fd, &status) != 0) return page;
  // A file of huge pages is mapped, cut and unmapped in its own page size only.
  return static_cast<uint32_t>(status.f_type) == kHugePageFileSystem ? static_cast<size_t>(status.f_bsize) : page;
}

/**
 * How many ranges may exist. The kernel allows a process vm.max_map_count mappings in all, and V8 and the C library
 * die when they get none: some are kept for them, and for the moment when a range is revoked.
 */
size_t RangeCountMax () {
  static const size_t limit = [] {
    constexpr size_t kKept = 4096;
    unsigned long allowed = 65530;
    FILE* file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != nullptr) {
      if (fscanf(file, "%lu", &allowed) != 1) allowed = 65530;
      fclose(file);
    }
    return allowed > 2 * kKept ? allowed - kKept : allowed / 2;
  }();
  return limit;
}

/** The range around an address. The caller holds the lock. */
MappedRange* Around (uintptr_t address) {
  const RangesByEnd& table = Table();
  const auto found = table.upper_bound(address);
  if (found == table.end()) return nullptr;
  MappedRange* range = found->second;
  return address >= reinterpret_cast<uintptr_t>(range->data()) ? range : nullptr;
}

}  // namespace

int MappedRange::Map (int fd, off_t offset, size_t bytes, int protection, MappedRange** result) {
  {
    const Locked locked;
    if (Table().size() >= RangeCountMax()) return ENOMEM;
  }
  const size_t page = MappedPageBytes(fd);
  const size_t reserved = (bytes + page - 1) / page * page;
  const int flags = MAP_NORESERVE | MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
  void* data = mmap(nullptr, reserved, protection, flags, fd, offset);
  if (data == MAP_FAILED) return errno;
  // A core dump of this process must neither take hundreds of GiB nor show what the guest had in memory.
  madvise(data, reserved, MADV_DONTDUMP);
  InstallFaultGuard();
  auto* range = new MappedRange(static_cast<uint8_t*>(data), bytes, reserved, page);
  {
    const Locked locked;
    Table().emplace(reinterpret_cast<uintptr_t>(data) + reserved, range);
  }
  *result = range;
  return 0;
}

MappedRange* MappedRange::Find (const void* data, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  const Locked locked;
  MappedRange* range = Around(address);
  if (range == nullptr) return nullptr;
  const uintptr_t end = reinterpret_cast<uintptr_t>(range->data_) + range->reserved_;
  if (bytes > end - address) return nullptr;
  range->holders_ += 1;
  return range;
}

void MappedRange::Hold () {
  const Locked locked;
  holders_ += 1;
}

void MappedRange::LetGo () {
  {
    const Locked locked;
    holders_ -= 1;
    if (holders_ != 0) return;
    Table().erase(reinterpret_cast<uintptr_t>(data_) + reserved_);
  }
  munmap(data_, reserved_);
  delete this;
}

bool MappedRange::IsHeldOnce () const {
  const Locked locked;
  return holders_ == 1;
}

int MappedRange::Revoke () {
  if (revoked_) return 0;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmap(data_, reserved_, PROT_NONE, flags, -1, 0) == MAP_FAILED) return errno;
  revoked_ = true;
  return 0;
}

bool MappedRange::Repair (void* address) {
  if (table_lock.IsMine()) return false;
  const auto at = reinterpret_cast<uintptr_t>(address);
  const Locked locked;
  MappedRange* range = Around(at);
  if (range == nullptr) return false;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  const int protection = PROT_READ | PROT_WRITE;
  uint8_t* page = range->data_ + (at - reinterpret_cast<uintptr_t>(range->data_)) / range->page_ * range->page_;
  if (mmap(page, range->page_, protection, flags, -1, 0) == MAP_FAILED &&
      // One page in the middle makes three mappings of one, which the kernel may refuse. The whole range makes none.
      mmap(range->data_, range->reserved_, protection, flags, -1, 0) == MAP_FAILED) {
    return false;
  }
  range->faults_.fetch_add(1, std::memory_order_relaxed);
  repair_count.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void* MappedRange::RepairCounter () { return &repair_count; }

}  // namespace pcikit
