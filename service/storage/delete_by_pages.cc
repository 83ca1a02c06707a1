#include "service/storage/delete_by_pages.h"

#include <fmt/format.h>

#include <vector>

namespace holdfast::storage {
namespace {

Result<std::uint64_t> DeleteKeys(const ScanPage& page, const PageDeletion& how, Deadline deadline) {
  std::vector<Operation> operations;
  operations.reserve(page.entries.size());
  for (const KeyedEntry& entry : page.entries) operations.push_back(Operation::Delete(entry.key));
  std::vector<OperationResult> results(operations.size());
  how.execute(operations, results, deadline);
  std::uint64_t deleted = 0;
  for (const OperationResult& result : results) {
    if (!result.status.ok()) {
      return Error(result.status.error()).WithContext(fmt::format("after {} keys of a part of the range", deleted));
    }
    if (result.existed) ++deleted;
  }
  return deleted;
}

}  // namespace

Result<std::uint64_t> DeleteByPages(const KeyRange& range, std::size_t page_entries, const PageDeletion& how) {
  ScanRequest request;
  request.range = range;
  request.keys_only = true;
  request.limit = page_entries;
  std::uint64_t deleted = 0;
  for (bool complete = false; !complete;) {
    const Deadline deadline = how.page_deadline();
    HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, how.scan(request, deadline));
    complete = page.complete;
    if (page.entries.empty()) break;
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t some, DeleteKeys(page, how, deadline));
    deleted += some;
    request.after = page.entries.back().key;
  }
  return deleted;
}

}  // namespace holdfast::storage
