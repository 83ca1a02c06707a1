#include "service/documents/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "service/documents/document.h"
#include "service/documents/rows.h"

namespace holdfast::documents {
namespace {

using query::Comparison;
using query::Operator;
using storage::KeyRange;

// The least bytes behind everything that begins with an encoded value.
std::optional<std::string> Behind(std::string_view encoded) {
  return KeyRange::Prefix(encoded).end;
}

bool IsEmpty(const KeyRange& range) {
  return range.end && range.start >= *range.end;
}

bool StartsBefore(const KeyRange& a, const KeyRange& b) {
  return a.start < b.start;
}

std::vector<KeyRange> Intersect(const std::vector<KeyRange>& a, const std::vector<KeyRange>& b) {
  std::vector<KeyRange> both;
  for (const KeyRange& left : a) {
    for (const KeyRange& right : b) {
      KeyRange range = left.Intersect(right);
      if (!IsEmpty(range)) both.push_back(std::move(range));
    }
  }
  std::sort(both.begin(), both.end(), StartsBefore);
  return both;
}

// Of `in`: one range per value, each value once.
std::vector<KeyRange> OfValues(std::vector<std::string> encoded) {
  std::sort(encoded.begin(), encoded.end());
  encoded.erase(std::unique(encoded.begin(), encoded.end()), encoded.end());
  std::vector<KeyRange> ranges;
  for (const std::string& value : encoded) ranges.push_back(KeyRange::Prefix(value));
  return ranges;
}

bool IsIndexed(const Comparison& comparison, const Index& index) {
  return SamePath(index.path, comparison.path);
}

// Rows of the plan, counted up to kProbeRows.
Result<std::size_t> Probe(storage::Backend& rooms, const Plan& plan, Deadline deadline) {
  std::size_t rows = 0;
  for (const KeyRange& range : plan.ranges) {
    storage::ScanRequest request;
    request.range = range;
    request.keys_only = true;
    request.limit = kProbeRows - rows;
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, rooms.Scan(request, deadline));
    rows += page.entries.size();
    if (rows >= kProbeRows) break;
  }
  return rows;
}

}  // namespace

Result<Order> ParseOrder(std::string_view text) {
  Order order;
  order.descending = text.starts_with('-');
  if (order.descending) text.remove_prefix(1);
  order.path = text;
  const Status valid = CheckIndexPaths({order.path}, CollectionLimits{1, kMaxPathBytes, 0, 0});
  if (valid.ok()) return order;
  return Error(ErrorCode::kInvalidArgument, "order is not an indexed path with or without a '-' in front: -created_at");
}

ValueRanges RangesOf(const Comparison& comparison, const Index& index) {
  const auto encode = [&](const query::Literal& literal) {
    return EncodeIndexValue(ValueOf(literal), index.max_value_bytes);
  };
  const std::string null = EncodeIndexValue(Null{}, 0);
  ValueRanges found;
  if (comparison.op == Operator::kExists) {
    found.ranges = {{null, std::nullopt}};
    return found;
  }
  if (comparison.op == Operator::kHas) {
    found.ranges = {SameKind(Composite{})};
    found.exact = false;
    return found;
  }
  if (comparison.op == Operator::kIn) {
    std::vector<std::string> values;
    for (const query::Literal& literal : comparison.literals) values.push_back(encode(literal));
    found.exact = std::none_of(values.begin(), values.end(), IsCut);
    found.ranges = OfValues(std::move(values));
    return found;
  }
  const query::Literal& literal = comparison.literals.front();
  const std::string value = encode(literal);
  if (comparison.op == Operator::kNotEqual && std::holds_alternative<std::nullptr_t>(literal)) {
    found.ranges = {{*Behind(null), std::nullopt}};
    return found;
  }
  // Values of other kinds satisfy none of the rest. Of a cut value each range takes the whole beginning in.
  const KeyRange kind = SameKind(ValueOf(literal));
  found.exact = !IsCut(value);
  const KeyRange below{kind.start, found.exact ? value : *Behind(value)};
  const KeyRange above{found.exact ? *Behind(value) : value, kind.end};
  switch (comparison.op) {
    case Operator::kEqual:
      found.ranges = {KeyRange::Prefix(value)};
      break;
    case Operator::kNotEqual:
      found.ranges = found.exact ? std::vector<KeyRange>{below, above} : std::vector<KeyRange>{kind};
      break;
    case Operator::kLess:
      found.ranges = {below};
      break;
    case Operator::kLessOrEqual:
      found.ranges = {{kind.start, Behind(value)}};
      break;
    case Operator::kGreater:
      found.ranges = {above};
      break;
    case Operator::kGreaterOrEqual:
      found.ranges = {{value, kind.end}};
      break;
    default:
      break;
  }
  std::erase_if(found.ranges, IsEmpty);
  return found;
}

Plan PlanOn(const Collection& collection, const query::Filter* filter, const Index* index, bool descending) {
  const std::uint64_t number = collection.definition.number;
  Plan plan;
  plan.index = index;
  plan.descending = descending;
  plan.exact = true;
  if (index == nullptr) {
    plan.ranges = {DocumentsOf(number)};
    plan.exact = filter == nullptr;
    return plan;
  }
  std::vector<KeyRange> values = {KeyRange::All()};
  if (filter != nullptr) {
    for (const Comparison& comparison : filter->comparisons) {
      if (!IsIndexed(comparison, *index)) {
        plan.exact = false;
        continue;
      }
      const ValueRanges ranges = RangesOf(comparison, *index);
      plan.exact = plan.exact && ranges.exact;
      values = Intersect(values, ranges.ranges);
    }
  }
  for (const KeyRange& range : values) plan.ranges.push_back(IndexRowsOf(number, index->number, range));
  return plan;
}

Result<Plan> Choose(storage::Backend& rooms, const Collection& collection, const query::Filter* filter,
                    const std::optional<Order>& order, Deadline deadline) {
  const Definition& definition = collection.definition;
  if (order) {
    const Index* index = definition.Find(order->path);
    if (index == nullptr) {
      return Error(
          ErrorCode::kInvalidArgument,
          fmt::format("order: \"{0}\" is not indexed; add an index on \"{0}\" to the collection", order->path));
    }
    if (index->state != IndexState::kReady) {
      return Error(ErrorCode::kFailedPrecondition,
                   fmt::format("order: the index on \"{}\" is being built; try again when the collection shows it as "
                               "ready",
                               order->path));
    }
    return PlanOn(collection, filter, index, order->descending);
  }

  Plan best = PlanOn(collection, filter, nullptr, false);
  if (filter == nullptr) return best;
  std::vector<Plan> candidates;
  for (const Index& index : definition.indexes) {
    const bool asked = std::any_of(filter->comparisons.begin(), filter->comparisons.end(),
                                   [&](const Comparison& comparison) { return IsIndexed(comparison, index); });
    if (asked && index.state == IndexState::kReady) candidates.push_back(PlanOn(collection, filter, &index, false));
  }
  if (candidates.size() == 1) return candidates.front();
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (Plan& candidate : candidates) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t rows, Probe(rooms, candidate, deadline));
    // Of those beyond the probe: one that answers the whole filter, else one with the narrowest comparison, which
    // comes first where indexes are listed by use.
    if (rows < fewest || (rows == fewest && candidate.exact && !best.exact)) {
      fewest = rows;
      best = std::move(candidate);
    }
  }
  return best;
}

}  // namespace holdfast::documents
