// What is left to do for collections: building new indexes, dropping old ones, removing what deleted collections left
// behind. Everything is done in bounded steps, each safe to repeat, to stop at any line and to run in several
// processes at once; what is left to do is read from the rows themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::documents {

// Documents that one step of a build reads, and rows that one step of a removal deletes.
inline constexpr std::size_t kStepRows = 256;

// One step for one collection: removes rows of an index that is dropped, or adds rows of one that is built. False:
// nothing is left to do, or there is no such collection.
Result<bool> MaintainCollection(storage::Backend& rooms, std::string_view collection, Deadline deadline);

// One step of removing the rows of deleted collections. False: there are none.
Result<bool> RemoveDeleted(storage::Backend& rooms, Deadline deadline);

}  // namespace holdfast::documents
