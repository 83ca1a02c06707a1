#include "service/dual_write/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "service/dual_write/visible.h"

namespace holdfast::dual_write {

using storage::Entry;
using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

namespace {

// Each that fails is another one's progress at one of the keys.
constexpr int kAttempts = 50;

Operation PutOf(const std::string& key, const Entry& entry) {
  Operation put = Operation::Put(key, entry.value, {},
                                 entry.expires_at ? storage::Expiry::At(*entry.expires_at) : storage::Expiry::Never());
  put.content_type = entry.content_type;
  put.metadata = entry.metadata;
  put.tags = entry.tags;
  return put;
}

bool IsFence(const std::vector<OperationResult>& results, std::size_t place, const std::string& id) {
  return place < results.size() && results[place].status.ok() && results[place].entry->value == id;
}

Error Over() {
  return {ErrorCode::kUnavailable, "the migration has gone on without this instance: nothing was copied"};
}

}  // namespace

struct Mirror::Seen {
  std::vector<EntryPtr> marks;    // in the target
  std::vector<EntryPtr> copies;   // in the target; Which::kDifferent only
  std::vector<EntryPtr> entries;  // in the source

  // What is to be written.
  bool Differs(std::size_t i) const {
    const auto mark = marks[i] != nullptr ? Mark::Decode(marks[i]->value) : std::nullopt;
    const EntryPtr& copy = copies[i];
    const EntryPtr& entry = entries[i];
    if ((copy == nullptr) != (entry == nullptr)) return true;
    if (entry == nullptr) return mark && mark->live;
    return mark != Mark::Of(entry) || Fingerprint(*copy) != mark->fingerprint;
  }
};

Result<Mirror::Seen> Mirror::Look(std::span<const Task> tasks, Which which, Deadline deadline) const {
  std::vector<std::string> keys;
  std::vector<std::string> asked;
  for (const Task& task : tasks) {
    keys.push_back(task.key);
    asked.push_back(rows_.Mark(task.key));
  }
  if (which == Which::kDifferent) asked.insert(asked.end(), keys.begin(), keys.end());
  Seen seen;
  // The order is the point: a mark that is the same at the end stood there before the source was read.
  HOLDFAST_ASSIGN_OR_RETURN(seen.marks, ReadEntries(target_, asked, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(seen.entries, ReadEntries(source_, keys, deadline));
  seen.copies.assign(seen.marks.begin() + static_cast<std::ptrdiff_t>(tasks.size()), seen.marks.end());
  seen.marks.resize(tasks.size());
  return seen;
}

Result<std::uint64_t> Mirror::DoChunk(std::span<const Task> tasks, const std::string& id, Which which,
                                      Deadline deadline) const {
  const std::string fence = rows_.Fence(std::hash<std::string>{}(tasks.front().key) % kFences);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    HOLDFAST_ASSIGN_OR_RETURN(const Seen seen, Look(tasks, which, deadline));
    storage::Transaction write;
    std::uint64_t written = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const Task& task = tasks[i];
      const EntryPtr& entry = seen.entries[i];
      const bool wanted = which == Which::kAll || seen.Differs(i);
      if (wanted) {
        ++written;
        const std::string mark = rows_.Mark(task.key);
        write.conditions.push_back(
            {mark, seen.marks[i] ? Precondition::VersionIs(seen.marks[i]->version) : Precondition::Absent()});
        write.then.push_back(entry ? PutOf(task.key, *entry) : Operation::Delete(task.key));
        write.then.push_back(Operation::Put(mark, Mark::Of(entry).Encode()));
      }
      if (!task.intent.empty()) write.then.push_back(Operation::Delete(task.intent));
    }
    if (write.then.empty()) return written;
    write.conditions.push_back({fence, Precondition::ValueIs(id)});
    write.otherwise = {Operation::Get(fence)};
    auto result = target_.Transact(write, deadline);
    if (!result.ok()) {
      // What may have been done can be done again: the marks tell.
      if (result.error().code() == ErrorCode::kOutcomeUnknown && !deadline.Expired()) continue;
      return std::move(result).error();
    }
    if (result->conditions_held) {
      if (result->applied) return written;
      for (OperationResult& failed : result->results) {
        if (!failed.status.ok() && failed.status.error().code() != ErrorCode::kCancelled) {
          return std::move(failed.status).error();
        }
      }
      return Error(ErrorCode::kInternal, "the target refused a copy and does not say why");
    }
    if (!IsFence(result->results, 0, id)) return Over();
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("others copied the same keys {} times meanwhile: try again", kAttempts));
}

Result<std::uint64_t> Mirror::Do(std::span<const Task> tasks, const std::string& id, Which which,
                                 Deadline deadline) const {
  const std::size_t most = KeysPerTransaction(target_.limits());
  std::uint64_t written = 0;
  for (std::size_t begin = 0; begin < tasks.size(); begin += most) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t of_chunk,
                              DoChunk(tasks.subspan(begin, std::min(most, tasks.size() - begin)), id, which, deadline));
    written += of_chunk;
  }
  return written;
}

Status Mirror::Copy(std::span<const Task> tasks, const std::string& id, Deadline deadline) const {
  const auto done = Do(tasks, id, Which::kAll, deadline);
  if (!done.ok()) return Error(done.error()).WithContext("copying to the target");
  return {};
}

Result<std::uint64_t> Mirror::Repair(std::span<const Task> tasks, const std::string& id, Deadline deadline) const {
  return Do(tasks, id, Which::kDifferent, deadline).WithContext("copying to the target");
}

}  // namespace holdfast::dual_write
