// Which rows a query walks: decided from the definition and the filter alone. Pure but for Choose, which compares
// candidates by looking at the beginning of each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/deadline.h"
#include "service/documents/collections.h"
#include "service/query/filter.h"

namespace holdfast::documents {

struct Order {
  std::string path;
  bool descending = false;
};
// "created_at", "-created_at".
Result<Order> ParseOrder(std::string_view text);

struct Plan {
  const Index* index = nullptr;  // of the collection's definition; null: the documents themselves, by id
  bool descending = false;
  // Rows to walk, rising and apart; the keys are those of index rows or of documents.
  std::vector<storage::KeyRange> ranges;
  // Every document with a row in the ranges matches the whole filter, and only they.
  bool exact = false;
};

// Encoded values that satisfy the comparison on its index, rising and apart; `exact`: no others lie in between.
struct ValueRanges {
  std::vector<storage::KeyRange> ranges;
  bool exact = true;
};
ValueRanges RangesOf(const query::Comparison& comparison, const Index& index);

// `filter` null: every document. With an order its index is walked: kInvalidArgument when there is none, naming the
// remedy; kFailedPrecondition while it is being built. Without one, the index whose ranges hold fewest rows, as far as
// can be seen from kProbeRows of each; when no comparison is indexed, the documents by id.
inline constexpr std::size_t kProbeRows = 128;
Result<Plan> Choose(storage::Backend& rooms, const Collection& collection, const query::Filter* filter,
                    const std::optional<Order>& order, Deadline deadline);
// The plan on a given index, or on the documents for null: what a further page goes on with.
Plan PlanOn(const Collection& collection, const query::Filter* filter, const Index* index, bool descending);

}  // namespace holdfast::documents
