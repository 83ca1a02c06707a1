// A view of a range of a backend as it was, read from front to end while the backend is written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/types.h"

namespace holdfast::storage {

class Backend;

// The numbers are written to disk.
enum class SnapshotConsistency : std::uint8_t {
  kPerEntry = 1,  // each entry is one that stood there at some moment between opening and reading it (backend.h, Scan)
  kPointInTime = 2,  // all entries are those of one moment, that of opening; a transaction is in it whole or not at all
};
// "per_entry", "point_in_time".
constexpr std::string_view ConsistencyName(SnapshotConsistency consistency) {
  return consistency == SnapshotConsistency::kPointInTime ? "point_in_time" : "per_entry";
}

// One thread at a time. Does not outlive its backend, whose Close waits for it or has Next fail with kUnavailable; so
// it is not kept open longer than it is read.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual SnapshotConsistency consistency() const = 0;
  // The next entries in byte order of their keys, some kSnapshotBytes of them; none: the end. Entries that have expired
  // are left out. After an error it is of no more use.
  virtual Result<std::vector<KeyedEntry>> Next(Deadline deadline) = 0;
};

inline constexpr std::size_t kSnapshotBytes = 1u << 20;
inline constexpr std::size_t kSnapshotEntries = 4096;

// By pages that `page` gives, which asks for entries as Backend::Scan does; the snapshot keeps what it holds.
using SnapshotPages = std::function<Result<ScanPage>(const ScanRequest& request, Deadline deadline)>;
std::unique_ptr<Snapshot> MakePagedSnapshot(const KeyRange& range, SnapshotConsistency consistency, SnapshotPages page);
// By the pages of the backend's own Scan, as it is when they are read: per entry.
std::unique_ptr<Snapshot> MakeScanSnapshot(Backend& backend, const KeyRange& range);

}  // namespace holdfast::storage
