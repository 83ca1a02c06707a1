#include "service/durability/restore.h"

#include <algorithm>
#include <charconv>

#include "service/durability/content.h"
#include "service/storage/decision.h"
#include "service/transfer/page_walk.h"

namespace holdfast::durability {
namespace {

using storage::Entry;
using storage::KeyedEntry;
using storage::Operation;
using storage::OperationResult;

// Of one Execute.
constexpr std::size_t kMostOperations = 4'000;
constexpr std::size_t kMostBytes = 4u << 20;

std::string PrefixOf(const std::string& store) {
  return store + '\0';
}

bool SameContent(const Entry& a, const Entry& b) {
  return a.value == b.value && a.expires_at == b.expires_at && a.content_type == b.content_type &&
         a.metadata == b.metadata && a.tags == b.tags;
}

Operation PutOf(std::string key, const Entry& entry) {
  Operation put = Operation::Put(std::move(key), entry.value);
  if (entry.expires_at) put.expiry = storage::Expiry::At(*entry.expires_at);
  put.content_type = entry.content_type;
  put.metadata = entry.metadata;
  put.tags = entry.tags;
  return put;
}

std::optional<std::uint64_t> TokenOf(const Entry& entry) {
  std::uint64_t token = 0;
  const char* const end = entry.value.data() + entry.value.size();
  const auto [stopped, error] = std::from_chars(entry.value.data(), end, token);
  return error == std::errc() && stopped == end ? std::optional(token) : std::nullopt;
}

// Items one after the other, from pages.
template <typename NextPage>
class Stream {
 public:
  explicit Stream(NextPage next_page) : next_page_(std::move(next_page)) {}

  // nullptr at the end. Valid until Pop.
  Result<const KeyedEntry*> Peek() {
    while (next_ == items_.size() && !complete_) {
      HOLDFAST_ASSIGN_OR_RETURN(items_, next_page_(&complete_));
      next_ = 0;
    }
    return next_ == items_.size() ? nullptr : &items_[next_];
  }
  void Pop() { ++next_; }

 private:
  NextPage next_page_;
  std::vector<KeyedEntry> items_;
  std::size_t next_ = 0;
  bool complete_ = false;
};

// A fence that is higher already, or an answer that is there.
bool IsOutdone(ErrorCode code) {
  return code == ErrorCode::kFenced || code == ErrorCode::kAlreadyExists;
}

// Collects operations and does them, many at a time.
class Changes {
 public:
  Changes(storage::Backend& backend, const BackoffPolicy& pauses)
      : backend_(backend),
        pauses_(pauses),
        most_operations_(std::min(kMostOperations, backend.limits().max_operations)) {}

  Status Add(Operation operation) {
    bytes_ += operation.key.size() + operation.value.size();
    operations_.push_back(std::move(operation));
    return operations_.size() >= most_operations_ || bytes_ >= kMostBytes ? Flush() : Status();
  }

  // All of them, or the first error that does not pass.
  Status Flush() {
    Status done = transfer::WithPatience(pauses_, [this] { return Execute(); });
    operations_.clear();
    bytes_ = 0;
    return done;
  }

 private:
  // Leaves in operations_ what has still to be done.
  Status Execute() {
    if (operations_.empty()) return {};
    std::vector<OperationResult> results(operations_.size());
    backend_.Execute(operations_, results, Deadline::After(transfer::kPatience));
    Status first;
    std::vector<Operation> left;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].status.ok() || IsOutdone(results[i].status.error().code())) continue;
      // What does not pass is what is told.
      if (first.ok() || transfer::MayPass(first.error())) first = results[i].status;
      left.push_back(std::move(operations_[i]));
    }
    operations_ = std::move(left);
    return first;
  }

  storage::Backend& backend_;
  const BackoffPolicy pauses_;
  const std::size_t most_operations_;
  std::vector<Operation> operations_;
  std::size_t bytes_ = 0;
};

class Merge {
 public:
  Merge(storage::Backend& backend, const std::string& store, Timestamp now, const BackoffPolicy& pauses)
      : prefix_(PrefixOf(store)), now_(now), changes_(backend, pauses) {}

  template <typename Saved, typename Live>
  Result<RestoreCounts> Run(Saved& saved, Live& live) {
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(const KeyedEntry* const wanted, saved.Peek());
      HOLDFAST_ASSIGN_OR_RETURN(const KeyedEntry* const there, live.Peek());
      if (wanted == nullptr && there == nullptr) break;
      const int order = Compare(wanted, there);
      HOLDFAST_RETURN_IF_ERROR(Settle(order <= 0 ? wanted : nullptr, order >= 0 ? there : nullptr));
      if (order <= 0) saved.Pop();
      if (order >= 0) live.Pop();
    }
    HOLDFAST_RETURN_IF_ERROR(changes_.Flush());
    return counts_;
  }

 private:
  // Which of the two comes first: -1 the wanted one alone, 0 both are of one key, 1 the other alone.
  int Compare(const KeyedEntry* wanted, const KeyedEntry* there) const {
    if (wanted == nullptr) return 1;
    if (there == nullptr) return -1;
    const int order = wanted->key.compare(std::string_view(there->key).substr(prefix_.size()));
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }

  // What stands under a key, and what is to; null: nothing.
  Status Settle(const KeyedEntry* wanted, const KeyedEntry* there) {
    const std::string_view key =
        wanted != nullptr ? std::string_view(wanted->key) : std::string_view(there->key).substr(prefix_.size());
    const Part part = PartOf(key);
    if (part == Part::kNone) return {};
    if (part == Part::kAnswer) return wanted != nullptr && there == nullptr ? AddAnswer(*wanted) : Status();
    if (part == Part::kFence) return wanted != nullptr ? RaiseFence(*wanted, there) : Status();
    if (wanted != nullptr && storage::IsExpired(*wanted->entry, now_)) {
      ++counts_.expired;
      wanted = nullptr;
    }
    if (wanted == nullptr) {
      if (there == nullptr) return {};
      ++counts_.deleted;
      return changes_.Add(Operation::Delete(there->key));
    }
    ++counts_.restored;
    if (there != nullptr && SameContent(*wanted->entry, *there->entry)) return {};
    ++counts_.written;
    return changes_.Add(PutOf(prefix_ + wanted->key, *wanted->entry));
  }

  Status AddAnswer(const KeyedEntry& wanted) {
    if (storage::IsExpired(*wanted.entry, now_)) return {};
    Operation put = PutOf(prefix_ + wanted.key, *wanted.entry);
    put.precondition = storage::Precondition::Absent();
    return changes_.Add(std::move(put));
  }

  Status RaiseFence(const KeyedEntry& wanted, const KeyedEntry* there) {
    ++counts_.restored;
    if (there != nullptr && there->entry->value == wanted.entry->value) return {};
    const std::optional<std::uint64_t> token = TokenOf(*wanted.entry);
    if (!token) return {};
    Operation put = PutOf(prefix_ + wanted.key, *wanted.entry);
    put.precondition = storage::Precondition::NotFenced(*token);
    return changes_.Add(std::move(put));
  }

  const std::string prefix_;
  const Timestamp now_;
  Changes changes_;
  RestoreCounts counts_;
};

}  // namespace

Result<ValidCheckpoint> CheckRestorable(ByteSource source, const storage::Backend& backend, const std::string& store,
                                        Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(std::move(source)));
  const std::string prefix = PrefixOf(store);
  while (true) {
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded,
                   "the deadline passed while the checkpoint was read; nothing was changed");
    }
    HOLDFAST_ASSIGN_OR_RETURN(const auto entries, reader.Next());
    if (entries.empty()) return ValidCheckpoint{reader.header(), reader.summary()};
    for (const KeyedEntry& item : entries) {
      HOLDFAST_RETURN_IF_ERROR(storage::Validate(PutOf(prefix + item.key, *item.entry), backend.limits())
                                   .WithContext("the store does not take an entry of the checkpoint"));
    }
  }
}

Result<RestoreCounts> Restore(ByteSource source, storage::Backend& backend, const std::string& store,
                              const Clock& clock, const BackoffPolicy& pauses) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(std::move(source)));
  Stream saved([&reader](bool* complete) {
    auto entries = reader.Next();
    *complete = entries.ok() && entries->empty();
    return entries;
  });
  transfer::PageWalk walk(backend, storage::KeyRange::Prefix(PrefixOf(store)), "", pauses);
  Stream live([&walk](bool* complete) -> Result<std::vector<KeyedEntry>> {
    HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, walk.Next());
    *complete = walk.complete();
    return std::move(page.entries);
  });
  return Merge(backend, store, clock.Now(), pauses).Run(saved, live);
}

}  // namespace holdfast::durability
