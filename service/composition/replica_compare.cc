#include "service/composition/replica_compare.h"

#include <map>
#include <vector>

#include "service/composition/secondary_copy.h"

namespace holdfast::composition {
namespace {

using storage::EntryPtr;
using storage::KeyedEntry;
using storage::KeyRange;
using storage::Operation;

constexpr std::size_t kPageRows = 500;

using Rows = std::map<std::string, EntryPtr>;

Operation PutOf(const std::string& key, const storage::Entry& row) {
  return Operation::Put(key, row.value, {},
                        row.expires_at ? storage::Expiry::At(*row.expires_at) : storage::Expiry::Never());
}

class Comparing {
 public:
  Comparing(storage::Backend& source, storage::Backend& target, const ReplicaComparison& comparison)
      : source_(source), target_(target), comparison_(comparison) {}

  Result<std::uint64_t> Run() {
    for (KeyRange rest = comparison_.rows;;) {
      if (comparison_.stop()) return Error(ErrorCode::kCancelled, "the comparison of two replicas was stopped");
      HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, Page(source_, rest));
      KeyRange covered = rest;
      if (!page.complete) covered.end = page.entries.back().key + '\0';
      Rows wanted;
      for (const KeyedEntry& row : page.entries) wanted.emplace(row.key, row.entry);
      HOLDFAST_RETURN_IF_ERROR(MakePageSame(std::move(wanted), covered));
      if (page.complete) return written_;
      rest.start = *covered.end;
    }
  }

 private:
  Deadline Patience() const { return Deadline::After(comparison_.call_timeout); }

  Result<storage::ScanPage> Page(storage::Backend& backend, const KeyRange& range) const {
    storage::ScanRequest request;
    request.range = range;
    request.limit = kPageRows;
    return backend.Scan(request, Patience());
  }

  // `wanted` is all that the source has in `covered`.
  Status MakePageSame(Rows wanted, const KeyRange& covered) {
    std::vector<Operation> writes;
    for (KeyRange rest = covered;;) {
      HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, Page(target_, rest));
      for (const KeyedEntry& row : page.entries) {
        const auto found = wanted.find(row.key);
        if (found != wanted.end() && found->second->value == row.entry->value) {
          wanted.erase(found);
          continue;
        }
        const bool gone = found == wanted.end();
        comparison_.replaced(row.key, *row.entry, gone ? nullptr : found->second.get());
        if (gone) writes.push_back(Operation::Delete(row.key));
      }
      if (page.complete) break;
      rest.start = page.entries.back().key + '\0';
    }
    for (const auto& [key, row] : wanted) writes.push_back(PutOf(key, *row));
    written_ += writes.size();
    for (std::size_t at = 0; at < writes.size(); at += kPageRows) {
      const auto some = std::span(writes).subspan(at, std::min(kPageRows, writes.size() - at));
      std::vector<storage::OperationResult> results(some.size());
      target_.Execute(some, results, Patience());
      HOLDFAST_RETURN_IF_ERROR(FirstError(results));
    }
    return {};
  }

  storage::Backend& source_;
  storage::Backend& target_;
  const ReplicaComparison& comparison_;
  std::uint64_t written_ = 0;
};

}  // namespace

Result<std::uint64_t> MakeSame(storage::Backend& source, storage::Backend& target,
                               const ReplicaComparison& comparison) {
  return Comparing(source, target, comparison).Run();
}

}  // namespace holdfast::composition
