#include "service/durability/restore.h"

#include <algorithm>
#include <charconv>
#include <future>

#include "service/durability/batch_writer.h"
#include "service/durability/content.h"
#include "service/durability/entry_stream.h"
#include "service/storage/decision.h"
#include "service/transfer/page_walk.h"

namespace holdfast::durability {
namespace {

using storage::Entry;
using storage::KeyedEntry;
using storage::Operation;

std::string PrefixOf(const std::string& store) {
  return store + '\0';
}

bool SameContent(const Entry& a, const Entry& b) {
  return a.value == b.value && a.expires_at == b.expires_at && a.content_type == b.content_type &&
         a.metadata == b.metadata && a.tags == b.tags;
}

// `put` becomes a put of everything but the value.
void SetAttributes(Operation* put, std::string_view prefix, std::string_view key, const Entry& entry) {
  put->kind = storage::OperationKind::kPut;
  put->key.assign(prefix).append(key);
  put->precondition = {};
  put->expiry = entry.expires_at ? storage::Expiry::At(*entry.expires_at) : storage::Expiry::Never();
  put->content_type = entry.content_type;
  put->metadata = entry.metadata;
  put->tags = entry.tags;
}

// The value goes over to the put.
void SetPut(Operation* put, std::string_view prefix, KeyedEntry* item) {
  SetAttributes(put, prefix, item->key, *item->entry);
  // It was decoded for this restore alone.
  put->value.swap(std::const_pointer_cast<Entry>(item->entry)->value);
}

std::optional<std::uint64_t> TokenOf(const Entry& entry) {
  std::uint64_t token = 0;
  const char* const end = entry.value.data() + entry.value.size();
  const auto [stopped, error] = std::from_chars(entry.value.data(), end, token);
  return error == std::errc() && stopped == end ? std::optional(token) : std::nullopt;
}

class Merge {
 public:
  Merge(storage::Backend& backend, const std::string& store, Timestamp now, const RestoreOptions& options)
      : prefix_(PrefixOf(store)), now_(now), changes_(backend, options) {}

  template <typename Saved, typename Live>
  Result<RestoreCounts> Run(Saved& saved, Live& live) {
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry* const wanted, saved.Peek());
      HOLDFAST_ASSIGN_OR_RETURN(const KeyedEntry* const there, live.Peek());
      if (wanted == nullptr && there == nullptr) break;
      const int order = Compare(wanted, there);
      HOLDFAST_RETURN_IF_ERROR(Settle(order <= 0 ? wanted : nullptr, order >= 0 ? there : nullptr));
      if (order <= 0) saved.Pop();
      if (order >= 0) live.Pop();
    }
    HOLDFAST_RETURN_IF_ERROR(changes_.Finish());
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
  Status Settle(KeyedEntry* wanted, const KeyedEntry* there) {
    const std::string_view key =
        wanted != nullptr ? std::string_view(wanted->key) : std::string_view(there->key).substr(prefix_.size());
    const Part part = PartOf(key);
    if (part == Part::kNone) return {};
    if (part == Part::kAnswer) return wanted != nullptr && there == nullptr ? AddAnswer(wanted) : Status();
    if (part == Part::kFence) return wanted != nullptr ? RaiseFence(wanted, there) : Status();
    if (wanted != nullptr && storage::IsExpired(*wanted->entry, now_)) {
      ++counts_.expired;
      wanted = nullptr;
    }
    if (wanted == nullptr) {
      if (there == nullptr) return {};
      ++counts_.deleted;
      changes_.Next() = Operation::Delete(there->key);
      return changes_.Add();
    }
    ++counts_.restored;
    if (there != nullptr && SameContent(*wanted->entry, *there->entry)) return {};
    ++counts_.written;
    SetPut(&changes_.Next(), prefix_, wanted);
    return changes_.Add();
  }

  Status AddAnswer(KeyedEntry* wanted) {
    if (storage::IsExpired(*wanted->entry, now_)) return {};
    Operation& put = changes_.Next();
    SetPut(&put, prefix_, wanted);
    put.precondition = storage::Precondition::Absent();
    return changes_.Add();
  }

  Status RaiseFence(KeyedEntry* wanted, const KeyedEntry* there) {
    ++counts_.restored;
    if (there != nullptr && there->entry->value == wanted->entry->value) return {};
    const std::optional<std::uint64_t> token = TokenOf(*wanted->entry);
    if (!token) return {};
    Operation& put = changes_.Next();
    SetPut(&put, prefix_, wanted);
    put.precondition = storage::Precondition::NotFenced(*token);
    return changes_.Add();
  }

  const std::string prefix_;
  const Timestamp now_;
  BatchWriter changes_;
  RestoreCounts counts_;
};

// The pages of a walk, the next of them read while one is looked at.
class PagesAhead {
 public:
  PagesAhead(storage::Backend& backend, storage::KeyRange range, const BackoffPolicy& pauses)
      : walk_(backend, std::move(range), "", pauses), next_(Read()) {}

  Result<std::vector<KeyedEntry>> Next(bool* complete) {
    Result<storage::ScanPage> page = next_.get();
    if (!page.ok()) return std::move(page).error();
    *complete = walk_.complete();
    if (!*complete) next_ = Read();
    return std::move(page->entries);
  }

 private:
  std::future<Result<storage::ScanPage>> Read() {
    return std::async(std::launch::async, [this] { return walk_.Next(); });
  }

  transfer::PageWalk walk_;
  std::future<Result<storage::ScanPage>> next_;  // last: it uses the walk until it is there
};

// What the backend says of entries as they would be put.
std::function<Status(std::span<const KeyedEntry>)> TakenBy(const storage::Backend& backend, const std::string& prefix) {
  return [&backend, prefix](std::span<const KeyedEntry> items) -> Status {
    Operation put;
    for (const KeyedEntry& item : items) {
      SetAttributes(&put, prefix, item.key, *item.entry);
      put.value = item.entry->value;
      HOLDFAST_RETURN_IF_ERROR(
          storage::Validate(put, backend.limits()).WithContext("the store does not take an entry of the checkpoint"));
    }
    return {};
  };
}

}  // namespace

Result<ValidCheckpoint> CheckRestorable(ByteSource source, const storage::Backend& backend, const std::string& store,
                                        Deadline deadline, int threads) {
  const ByteSource timed = [source = std::move(source), deadline](char* buffer, std::size_t size) {
    if (!deadline.Expired()) return source(buffer, size);
    return Result<std::size_t>(
        Error(ErrorCode::kDeadlineExceeded, "the deadline passed while the checkpoint was read; nothing was changed"));
  };
  return ValidateCheckpoint(timed, {threads, TakenBy(backend, PrefixOf(store))});
}

Result<RestoreCounts> Restore(ByteSource source, storage::Backend& backend, const std::string& store,
                              const Clock& clock, const RestoreOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(std::move(source), {options.threads, {}}));
  EntryStream saved([&reader](bool* complete) {
    auto entries = reader.Next();
    *complete = entries.ok() && entries->empty();
    return entries;
  });
  PagesAhead pages(backend, storage::KeyRange::Prefix(PrefixOf(store)), options.pauses);
  EntryStream live([&pages](bool* complete) { return pages.Next(complete); });
  return Merge(backend, store, clock.Now(), options).Run(saved, live);
}

}  // namespace holdfast::durability
