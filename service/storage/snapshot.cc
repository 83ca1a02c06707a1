#include "service/storage/snapshot.h"

#include <utility>

#include "service/storage/backend.h"

namespace holdfast::storage {
namespace {

class PagedSnapshot final : public Snapshot {
 public:
  PagedSnapshot(const KeyRange& range, SnapshotConsistency consistency, SnapshotPages page)
      : consistency_(consistency), page_(std::move(page)) {
    request_.range = range;
    request_.limit = kSnapshotEntries;
  }

  SnapshotConsistency consistency() const override { return consistency_; }

  Result<std::vector<KeyedEntry>> Next(Deadline deadline) override {
    if (complete_) return std::vector<KeyedEntry>();
    HOLDFAST_ASSIGN_OR_RETURN(ScanPage page, page_(request_, deadline));
    // Without a filter a page that is not complete holds an entry.
    complete_ = page.complete;
    if (!page.entries.empty()) request_.after = page.entries.back().key;
    return std::move(page.entries);
  }

 private:
  const SnapshotConsistency consistency_;
  const SnapshotPages page_;
  ScanRequest request_;
  bool complete_ = false;
};

}  // namespace

std::unique_ptr<Snapshot> MakePagedSnapshot(const KeyRange& range, SnapshotConsistency consistency,
                                            SnapshotPages page) {
  return std::make_unique<PagedSnapshot>(range, consistency, std::move(page));
}

std::unique_ptr<Snapshot> MakeScanSnapshot(Backend& backend, const KeyRange& range) {
  return MakePagedSnapshot(
      range, SnapshotConsistency::kPerEntry,
      [&backend](const ScanRequest& request, Deadline deadline) { return backend.Scan(request, deadline); });
}

}  // namespace holdfast::storage
