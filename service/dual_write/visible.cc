#include "service/dual_write/visible.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace holdfast::dual_write {
namespace {

using storage::KeyRange;
using storage::ScanPage;

// In front of the rows and behind them.
std::array<KeyRange, 2> Around(const Rows& rows, const KeyRange& range) {
  return {range.Intersect({"", rows.range().start}), range.Intersect({rows.range().end.value_or(""), std::nullopt})};
}

bool IsEmpty(const KeyRange& range) {
  return range.end && *range.end <= range.start;
}

void Append(ScanPage next, ScanPage& page) {
  std::move(next.entries.begin(), next.entries.end(), std::back_inserter(page.entries));
  page.complete = next.complete;
  page.reached = std::move(next.reached);
  page.left_out += next.left_out;
}

template <typename Ask>
Result<std::uint64_t> OfParts(const Rows& rows, const KeyRange& range, const Ask& ask) {
  const std::array<KeyRange, 2> parts = Around(rows, range);
  // One of them is asked in any case: a backend that is closed has to say so.
  if (IsEmpty(parts[1])) return ask(parts[0]);
  if (IsEmpty(parts[0])) return ask(parts[1]);
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t before, ask(parts[0]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t behind, ask(parts[1]));
  return before + behind;
}

}  // namespace

Result<ScanPage> ScanVisible(storage::Backend& backend, const Rows& rows, const storage::ScanRequest& request,
                             Deadline deadline) {
  std::array<KeyRange, 2> parts = Around(rows, request.range);
  if (request.descending) std::swap(parts[0], parts[1]);
  if (IsEmpty(parts[0]) || IsEmpty(parts[1])) {
    storage::ScanRequest one = request;
    one.range = IsEmpty(parts[0]) ? parts[1] : parts[0];
    return backend.Scan(one, deadline);
  }
  storage::ScanRequest part = request;
  part.range = parts[0];
  HOLDFAST_ASSIGN_OR_RETURN(ScanPage page, backend.Scan(part, deadline));
  if (!page.complete || page.entries.size() >= request.limit) {
    // What lies behind the rows has not been looked at.
    page.complete = false;
    return page;
  }
  part.range = parts[1];
  part.limit = request.limit - page.entries.size();
  HOLDFAST_ASSIGN_OR_RETURN(ScanPage next, backend.Scan(part, deadline));
  Append(std::move(next), page);
  return page;
}

Result<std::uint64_t> CountVisible(storage::Backend& backend, const Rows& rows, const KeyRange& range,
                                   Deadline deadline) {
  return OfParts(rows, range, [&](const KeyRange& part) { return backend.Count(part, deadline); });
}

Result<std::uint64_t> DeleteVisible(storage::Backend& backend, const Rows& rows, const KeyRange& range,
                                    Deadline deadline) {
  return OfParts(rows, range, [&](const KeyRange& part) { return backend.DeleteRange(part, deadline); });
}

Result<std::vector<storage::EntryPtr>> ReadEntries(storage::Backend& backend, std::span<const std::string> keys,
                                                   Deadline deadline) {
  std::vector<storage::EntryPtr> entries;
  entries.reserve(keys.size());
  const std::size_t most = backend.limits().max_operations;
  for (std::size_t begin = 0; begin < keys.size(); begin += most) {
    const auto part = keys.subspan(begin, std::min(most, keys.size() - begin));
    std::vector<storage::Operation> gets;
    gets.reserve(part.size());
    for (const std::string& key : part) gets.push_back(storage::Operation::Get(key));
    std::vector<storage::OperationResult> results(gets.size());
    backend.Execute(gets, results, deadline);
    for (storage::OperationResult& result : results) {
      const bool absent = !result.status.ok() && result.status.error().code() == ErrorCode::kNotFound;
      if (!result.status.ok() && !absent) return std::move(result.status).error();
      entries.push_back(absent ? nullptr : std::move(result.entry));
    }
  }
  return entries;
}

}  // namespace holdfast::dual_write
