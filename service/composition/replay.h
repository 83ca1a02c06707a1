// What everybody needs who brings writes to a backend that were acknowledged without it: as an operation, what stands
// there, and whether that is what was to be written.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::composition {

bool IsCode(const Status& status, ErrorCode code);
// A precondition did not hold.
bool WasRefused(const Status& status);
// In all but version and times of writing; two that are null are the same.
bool SameContent(const storage::EntryPtr& left, const storage::EntryPtr& right);
// A put of the entry, or a delete for null.
storage::Operation WriteOf(const std::string& key, const storage::EntryPtr& entry, storage::Precondition precondition);
// Entries as they stand under the keys of these operations; null: none.
Result<std::vector<storage::EntryPtr>> ReadThere(storage::Backend& backend, std::span<const storage::Operation> of,
                                                 Deadline deadline);

}  // namespace holdfast::composition
