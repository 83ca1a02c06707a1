// Deletes what lives in a range page by page, for backends that have no quicker way. Not atomic as a whole: after an
// error the pages before it are gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::storage {

struct PageDeletion {
  std::function<Result<ScanPage>(const ScanRequest& request, Deadline deadline)> scan;
  std::function<void(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline)>
      execute;
  // Each page has a time of its own; asked before each.
  std::function<Deadline()> page_deadline;
};

// How many there were.
Result<std::uint64_t> DeleteByPages(const KeyRange& range, std::size_t page_entries, const PageDeletion& how);

}  // namespace holdfast::storage
