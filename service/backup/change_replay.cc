#include "service/backup/change_replay.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>

#include "base/time/duration.h"
#include "service/durability/checkpoint_source.h"
#include "service/durability/entry_stream.h"

namespace holdfast::backup {
namespace {

using storage::KeyedEntry;

// What keys came to; null: the key was deleted.
using States = std::map<std::string, storage::EntryPtr, std::less<>>;

std::size_t BytesOf(const std::string& key, const storage::EntryPtr& entry) {
  constexpr std::size_t kNode = 128;
  return kNode + key.size() + (entry ? sizeof(*entry) + entry->value.size() + entry->metadata.size() : 0);
}

// The states of the keys from `low` on, as many of the first ones as there is room for.
class Collected {
 public:
  Collected(std::string low, std::size_t most_bytes) : low_(std::move(low)), most_bytes_(most_bytes) {}

  void Add(storage::KeyChange change) {
    if (change.key < low_ || (bound_ && change.key >= *bound_)) return;
    const std::size_t bytes = BytesOf(change.key, change.entry);
    const auto [state, added] = states_.try_emplace(std::move(change.key));
    if (!added) bytes_ -= BytesOf(state->first, state->second);
    state->second = std::move(change.entry);
    bytes_ += bytes;
    while (bytes_ > most_bytes_ && states_.size() > 1) {
      const auto last = std::prev(states_.end());
      bytes_ -= BytesOf(last->first, last->second);
      bound_ = last->first;
      states_.erase(last);
    }
  }
  States& states() { return states_; }
  // From this key on they are not all there; none: they are.
  const std::optional<std::string>& bound() const { return bound_; }

 private:
  std::string low_;
  std::size_t most_bytes_;
  States states_;
  std::size_t bytes_ = 0;
  std::optional<std::string> bound_;
};

Error Gap(const SegmentHeader& header, Timestamp to) {
  return {
      ErrorCode::kFailedPrecondition,
      fmt::format("the store cannot be restored to {}: changes up to {} are missing in its change log ({}); restore "
                  "to an earlier time, or to one behind a backup that was made since",
                  FormatTimestamp(to), FormatTimestamp(header.until), header.gap)};
}

class Replay {
 public:
  Replay(const Manifest& manifest, const ChangeLog& log, Timestamp to, Work& work)
      : store_(manifest.store), first_(manifest.changes->first), log_(log), to_(to), work_(work) {}

  Status Read(Collected* collected) const {
    HOLDFAST_ASSIGN_OR_RETURN(const auto listed, log_.List(work_.deadline()));
    const std::uint64_t last = listed.empty() ? 0 : listed.back().number;
    std::optional<SegmentHeader> before;
    durability::Digest digest{};
    for (std::uint64_t number = first_; number <= last; ++number) {
      HOLDFAST_RETURN_IF_ERROR(work_.GoOn());
      auto segment = log_.Read(number, work_.deadline());
      if (!segment.ok() && segment.error().code() == ErrorCode::kNotFound) {
        if (number == last) break;  // left of a Put
        return DamagedLog(fmt::format("segment {} is missing", number));
      }
      if (!segment.ok()) return std::move(segment).error();
      const SegmentHeader& header = segment->header;
      if (header.store != store_) return DamagedLog("it is that of another store");
      if (!header.gap.empty()) return Gap(header, to_);
      if (before && (header.previous != digest || header.from != before->until)) {
        return DamagedLog(fmt::format("segment {} does not continue the one before", number));
      }
      for (storage::KeyChange& change : segment->changes) {
        if (change.at > to_) break;
        collected->Add(std::move(change));
      }
      if (header.until >= to_) return {};
      before = header;
      digest = segment->digest;
    }
    const std::string reach = before ? fmt::format("reaches up to {}", FormatTimestamp(before->until))
                                     : std::string("has nothing behind the backup");
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("the store cannot be restored to {}: its change log {}", FormatTimestamp(to_), reach));
  }

 private:
  const std::string store_;
  const std::uint64_t first_;
  const ChangeLog& log_;
  const Timestamp to_;
  Work& work_;
};

// The entries of the backup with the states in their places.
class Merged {
 public:
  Merged(durability::CheckpointReader reader, Replay replay, Collected first, std::size_t most_bytes)
      : reader_(std::move(reader)),
        replay_(std::move(replay)),
        most_bytes_(most_bytes),
        collected_(std::move(first)),
        next_(collected_.states().begin()),
        backup_([this](bool* complete) {
          auto entries = reader_.Next();
          *complete = entries.ok() && entries->empty();
          return entries;
        }) {}

  Result<std::vector<KeyedEntry>> Page() {
    constexpr std::size_t kPage = 1000;
    std::vector<KeyedEntry> page;
    while (page.size() < kPage) {
      HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry* const item, backup_.Peek());
      const bool more = next_ != collected_.states().end();
      const bool within = item != nullptr && !(collected_.bound() && item->key >= *collected_.bound());
      if (!more && !within) {
        if (!collected_.bound()) break;
        HOLDFAST_RETURN_IF_ERROR(ReadOn());
        continue;
      }
      const bool changed = more && (!within || next_->first <= item->key);
      if (!changed) {
        page.push_back(std::move(*item));
        backup_.Pop();
        continue;
      }
      if (within && next_->first == item->key) backup_.Pop();
      if (next_->second) page.push_back({next_->first, next_->second, next_->second->value.size()});
      ++next_;
    }
    return page;
  }
  const durability::CheckpointSummary& summary() const { return reader_.summary(); }

 private:
  Status ReadOn() {
    Collected more(*collected_.bound(), most_bytes_);
    HOLDFAST_RETURN_IF_ERROR(replay_.Read(&more));
    collected_ = std::move(more);
    next_ = collected_.states().begin();
    return {};
  }

  durability::CheckpointReader reader_;
  const Replay replay_;
  const std::size_t most_bytes_;
  Collected collected_;
  States::iterator next_;
  durability::EntryStream<std::function<Result<std::vector<KeyedEntry>>(bool*)>> backup_;
};

}  // namespace

Result<durability::ByteSource> CheckpointAt(const Chain& chain, const ChangeLog& log, Timestamp to, Target& target,
                                            const durability::WriterOptions& writer, Work& work,
                                            std::size_t most_bytes) {
  const std::shared_ptr<const OpenedBackup>& last = chain.back();
  Replay replay(last->manifest, log, to, work);
  Collected collected("", most_bytes);
  HOLDFAST_RETURN_IF_ERROR(replay.Read(&collected));
  HOLDFAST_ASSIGN_OR_RETURN(durability::ByteSource source, CheckpointOf(chain, target, writer, work));
  HOLDFAST_ASSIGN_OR_RETURN(auto reader, durability::CheckpointReader::Open(std::move(source)));
  durability::CheckpointHeader header = reader.header();
  header.created_at = to;
  const auto merged = std::make_shared<Merged>(std::move(reader), std::move(replay), std::move(collected), most_bytes);
  return durability::CheckpointOf(
      [merged] { return merged->Page(); }, std::move(header), writer,
      [merged, last] {
        // Of increments that was looked at on their way.
        const bool same = last->manifest.parent || merged->summary().digest == last->manifest.checkpoint;
        return same ? Status() : Status(Damaged("it holds another checkpoint than its manifest says"));
      });
}

}  // namespace holdfast::backup
