// What stands in a backend beside the rows of a migration.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/rows.h"
#include "service/storage/backend.h"

namespace holdfast::dual_write {

// As Backend::Scan, Count and DeleteRange, without the rows.
Result<storage::ScanPage> ScanVisible(storage::Backend& backend, const Rows& rows, const storage::ScanRequest& request,
                                      Deadline deadline);
Result<std::uint64_t> CountVisible(storage::Backend& backend, const Rows& rows, const storage::KeyRange& range,
                                   Deadline deadline);
Result<std::uint64_t> DeleteVisible(storage::Backend& backend, const Rows& rows, const storage::KeyRange& range,
                                    Deadline deadline);

// The entries under the keys, which may be rows, as the backend has them now; null where there is none. The first error
// of any is that of all.
Result<std::vector<storage::EntryPtr>> ReadEntries(storage::Backend& backend, std::span<const std::string> keys,
                                                   Deadline deadline);

}  // namespace holdfast::dual_write
