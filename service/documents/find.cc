#include "service/documents/find.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/documents/document.h"
#include "service/documents/rows.h"
#include "service/query/evaluate.h"

namespace holdfast::documents {
namespace {

using storage::EntryPtr;
using storage::KeyedEntry;
using storage::Operation;
using storage::OperationResult;

// Rows that are read at once; the documents behind index rows are fetched together.
constexpr std::size_t kMaxChunk = 256;
constexpr std::size_t kMinChunk = 16;

// A document and the row by which it was found.
struct Found {
  std::string row;
  std::string id;
  EntryPtr entry;  // null: the row is of a document that is gone
};

// Walks the rows of a plan, chunk by chunk.
class Walk {
 public:
  Walk(storage::Backend& rooms, const Collection& collection, const Plan& plan, std::optional<std::string> after)
      : rooms_(rooms), collection_(collection), plan_(plan), after_(std::move(after)) {
    if (plan.descending) range_ = plan.ranges.size();
    Next();
  }

  bool done() const { return done_; }

  // The documents of the next rows, in their order; empty when there is nothing left or a range had no more.
  Result<std::vector<Found>> Read(std::size_t most, Deadline deadline) {
    storage::ScanRequest request;
    request.range = plan_.ranges[range_];
    request.descending = plan_.descending;
    request.keys_only = plan_.index != nullptr;
    request.limit = most;
    request.after = after_;
    HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, rooms_.Scan(request, deadline));
    if (!page.entries.empty()) after_ = page.entries.back().key;
    std::vector<Found> found;
    for (KeyedEntry& row : page.entries) found.push_back({std::move(row.key), {}, std::move(row.entry)});
    if (page.complete) Next();
    if (plan_.index == nullptr) {
      for (Found& document : found) document.id = DocumentIdOf(document.row);
    } else {
      HOLDFAST_RETURN_IF_ERROR(Fetch(&found, deadline));
    }
    return found;
  }

 private:
  // On to the next range that is not wholly behind us.
  void Next() {
    const auto& ranges = plan_.ranges;
    for (;;) {
      if (plan_.descending ? range_ == 0 : started_ ? range_ + 1 >= ranges.size() : ranges.empty()) {
        done_ = true;
        return;
      }
      if (plan_.descending) {
        --range_;
      } else if (started_) {
        ++range_;
      }
      started_ = true;
      if (!after_) return;
      const storage::KeyRange& range = ranges[range_];
      const bool behind = plan_.descending ? range.start >= *after_ : range.end && *range.end <= *after_;
      if (!behind) return;
    }
  }

  Status Fetch(std::vector<Found>* found, Deadline deadline) {
    std::vector<Operation> gets;
    for (Found& document : *found) {
      const auto row = ParseIndexRow(document.row);
      if (!row) return Error(ErrorCode::kCorruption, "an index row cannot be read; drop the index and add it again");
      document.id = row->id;
      gets.push_back(Operation::Get(DocumentKey(collection_.definition.number, document.id)));
    }
    std::vector<OperationResult> results(gets.size());
    if (!gets.empty()) rooms_.Execute(gets, results, deadline);
    for (std::size_t i = 0; i < results.size(); ++i) {
      (*found)[i].entry = std::move(results[i].entry);
      if (results[i].status.ok()) continue;
      (*found)[i].entry = nullptr;
      if (results[i].status.error().code() != ErrorCode::kNotFound) return results[i].status;
    }
    return {};
  }

  storage::Backend& rooms_;
  const Collection& collection_;
  const Plan& plan_;
  std::optional<std::string> after_;
  std::size_t range_ = 0;
  bool started_ = false;
  bool done_ = false;
};

// Whether the document matches, and still stands where its row says: it may have changed since the row was read.
Result<bool> Matches(const Found& found, const Plan& plan, const query::Filter* filter) {
  if (!found.entry) return false;
  if (plan.index == nullptr && filter == nullptr) return true;
  const auto document = ParseDocument(found.entry->value);
  if (!document.ok()) return Error(ErrorCode::kCorruption, fmt::format("document {} cannot be read", found.id));
  if (plan.index != nullptr) {
    const auto row = ParseIndexRow(found.row);
    if (!row || row->value != IndexedValue(*plan.index, *document)) return false;
  }
  return filter == nullptr || query::Matches(*filter, *document);
}

// A position: the numbers of collection and index (0 = the documents themselves), and the row.
std::string EncodePosition(const Collection& collection, const Plan& plan, std::string_view row) {
  const std::uint32_t index = plan.index != nullptr ? plan.index->number : 0;
  return fmt::format("{} {} {}", collection.definition.number, index, row);
}

struct Position {
  Plan plan;
  std::string row;
};

std::optional<Position> DecodePosition(std::string_view text, const Collection& collection,
                                       const FindRequest& request) {
  const Definition& definition = collection.definition;
  const auto goes_on = [&](const Index* index) -> std::optional<Position> {
    const bool descending = request.order && request.order->descending;
    Plan plan = PlanOn(collection, request.filter, index, descending);
    const std::string prefix = EncodePosition(collection, plan, "");
    if (!text.starts_with(prefix)) return std::nullopt;
    return Position{std::move(plan), std::string(text.substr(prefix.size()))};
  };
  if (!request.order) {
    if (auto position = goes_on(nullptr)) return position;
  }
  for (const Index& index : definition.indexes) {
    if (index.state != IndexState::kReady || (request.order && request.order->path != index.path)) continue;
    if (auto position = goes_on(&index)) return position;
  }
  return std::nullopt;
}

}  // namespace

Result<FindPage> Find(storage::Backend& rooms, const Collection& collection, const FindRequest& request,
                      const CollectionLimits& limits, Deadline deadline) {
  Plan plan;
  std::optional<std::string> after;
  if (request.position) {
    auto position = DecodePosition(*request.position, collection, request);
    if (!position) {
      return Error(ErrorCode::kInvalidArgument,
                   "the cursor belongs to an index or a collection that is gone; start again without a cursor");
    }
    plan = std::move(position->plan);
    after = std::move(position->row);
  } else {
    HOLDFAST_ASSIGN_OR_RETURN(plan, Choose(rooms, collection, request.filter, request.order, deadline));
  }

  FindPage page;
  page.by_index = plan.index != nullptr;
  std::size_t bytes = 0;
  std::string last = after.value_or("");
  Walk walk(rooms, collection, plan, std::move(after));
  const auto stop = [&] {
    page.position = EncodePosition(collection, plan, last);
    return std::move(page);
  };
  while (!walk.done()) {
    const std::size_t wanted = std::clamp(request.limit - page.documents.size(), kMinChunk, kMaxChunk);
    const std::size_t most = std::min<std::size_t>(wanted, limits.max_examined - page.examined);
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Found> chunk, walk.Read(most, deadline));
    for (const Found& found : chunk) {
      ++page.examined;
      HOLDFAST_ASSIGN_OR_RETURN(const bool matches, Matches(found, plan, request.filter));
      if (matches) {
        const std::size_t size = found.id.size() + found.entry->value.size();
        if (!page.documents.empty() && bytes + size > rooms.limits().max_scan_bytes) return stop();
        bytes += size;
        page.documents.push_back({found.id, found.entry, found.entry->value.size()});
      }
      last = found.row;
      const bool at_end = walk.done() && &found == &chunk.back();
      if (page.documents.size() == request.limit && !at_end) return stop();
    }
    if (page.examined >= limits.max_examined && !walk.done()) return stop();
  }
  page.complete = true;
  return page;
}

Result<CountResult> Count(storage::Backend& rooms, const Collection& collection, const query::Filter* filter,
                          const CollectionLimits& limits, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Plan plan, Choose(rooms, collection, filter, std::nullopt, deadline));
  CountResult result;
  result.by_index = plan.index != nullptr;
  if (plan.exact) {
    for (const storage::KeyRange& range : plan.ranges) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t rows, rooms.Count(range, deadline));
      result.count += rows;
    }
    return result;
  }
  Walk walk(rooms, collection, plan, std::nullopt);
  while (!walk.done()) {
    if (result.examined >= limits.max_examined) {
      return Error(
          ErrorCode::kFailedPrecondition,
          fmt::format("counting has to look at more than {} documents (setting limits.documents_examined); add "
                      "an index on a path that the filter narrows down, or read the pages and count",
                      limits.max_examined));
    }
    const std::size_t most = std::min<std::size_t>(kMaxChunk, limits.max_examined - result.examined);
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Found> chunk, walk.Read(most, deadline));
    for (const Found& found : chunk) {
      ++result.examined;
      HOLDFAST_ASSIGN_OR_RETURN(const bool matches, Matches(found, plan, filter));
      if (matches) ++result.count;
    }
  }
  return result;
}

}  // namespace holdfast::documents
