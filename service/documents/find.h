// Queries over the documents of a collection: filter, order and pages served from an index, with a bound on how many
// documents one request looks at.
//
// A page is no snapshot, as with storage::Backend::Scan: each document is one that matched at some moment of the call.
// One that changes its place in the order while pages are read may be found at both places, or at neither.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/documents/plan.h"

namespace holdfast::documents {

struct FindRequest {
  const query::Filter* filter = nullptr;  // null: every document
  std::optional<Order> order;             // none: any, the same on every page
  std::size_t limit = 100;
  std::optional<std::string> position;  // where the page before ended
};

struct FindPage {
  std::vector<storage::KeyedEntry> documents;  // keys are ids
  bool complete = false;
  std::string position;        // where to go on; empty when complete
  std::uint64_t examined = 0;  // documents that were read
  bool by_index = false;       // an index has led to them; else all there are, by id
};

// At most limits.max_examined documents are read and limits().max_scan_bytes returned; a page that ends early for that
// is not complete, and may be empty. kInvalidArgument: the order has no index, or the position belongs to an index or a
// collection that is gone.
Result<FindPage> Find(storage::Backend& rooms, const Collection& collection, const FindRequest& request,
                      const CollectionLimits& limits, Deadline deadline);

struct CountResult {
  std::uint64_t count = 0;
  std::uint64_t examined = 0;
  bool by_index = false;  // as in FindPage
};
// From an index alone where one answers the whole filter. Otherwise documents are read, at most limits.max_examined:
// beyond that kFailedPrecondition, naming the remedy.
Result<CountResult> Count(storage::Backend& rooms, const Collection& collection, const query::Filter* filter,
                          const CollectionLimits& limits, Deadline deadline);

}  // namespace holdfast::documents
