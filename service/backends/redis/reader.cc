#include "service/backends/redis/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
#include "service/backends/redis/script_call.h"
#include "service/backends/redis/writer.h"
#include "service/storage/decision.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr std::size_t kGetsPerPipeline = 512;
// Keys that a page may look at in one call of the script: what has expired is passed over.
constexpr const char* kLooksPerCall = "10000";

Result<Timestamp> TimeOf(Result<redis::Value> reply) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<redis::Value> parts, redis::AsArray(std::move(reply), "TIME"));
  std::int64_t seconds = 0;
  std::int64_t microseconds = 0;
  const auto parse = [](const redis::Value& value, std::int64_t* number) {
    if (!value.IsString()) return false;
    const std::string& text = value.text();
    return std::from_chars(text.data(), text.data() + text.size(), *number).ec == std::errc{};
  };
  if (parts.size() != 2 || !parse(parts[0], &seconds) || !parse(parts[1], &microseconds)) {
    return Error(ErrorCode::kInternal, "TIME: not two numbers");
  }
  return Timestamp{std::chrono::seconds{seconds} + std::chrono::microseconds{microseconds}};
}

// What is left of the range behind `after`, in the words of ZRANGE BYLEX.
struct Bounds {
  std::string low;
  std::string high;
};

std::string Inclusive(std::string_view key) {
  return std::string("[").append(key);
}
std::string Exclusive(std::string_view key) {
  return std::string("(").append(key);
}

Bounds BoundsOf(const KeyRange& range) {
  return {Inclusive(range.start), range.end ? Exclusive(*range.end) : "+"};
}

Bounds BoundsOf(const ScanRequest& request) {
  Bounds bounds = BoundsOf(request.range);
  if (!request.after) return bounds;
  if (request.descending) {
    if (!request.range.end || *request.after < *request.range.end) bounds.high = Exclusive(*request.after);
  } else if (*request.after >= request.range.start) {
    bounds.low = Exclusive(*request.after);
  }
  return bounds;
}

Error Unexpected() {
  return {ErrorCode::kInternal, "the script that scans answered something else than was expected"};
}

Result<KeyedEntry> ItemOf(redis::Value& value, bool keys_only) {
  if (!value.IsArray() || value.elements().size() != 3) return Unexpected();
  std::vector<redis::Value>& parts = value.elements();
  if (!parts[0].IsString() || !parts[1].IsString() || !parts[2].IsInteger()) return Unexpected();
  KeyedEntry item;
  item.key = std::move(parts[0].text());
  item.value_bytes = static_cast<std::size_t>(parts[2].integer());
  HOLDFAST_ASSIGN_OR_RETURN(item.entry,
                            keys_only ? DecodeWithoutValue(parts[1].text()) : DecodeRecord(parts[1].text()));
  return item;
}

std::size_t BytesOf(const KeyedEntry& entry, bool keys_only) {
  return entry.key.size() + (keys_only ? 0 : entry.value_bytes);
}

}  // namespace

void Reader::AskForBeatsOf(std::string instance, const Beats* beats) {
  instance_ = std::move(instance);
  beats_ = beats;
}

void Reader::AskForBeat(redis::Pipeline& pipeline) const {
  const std::string instances = options_.key_prefix + "instances";
  pipeline.Add(redis::Effect::kRead, {"HGET", instances, instance_});
}

Status Reader::CheckBeat(Result<redis::Value> reply, Beats::Time asked_at) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto row, redis::AsOptionalString(std::move(reply), "HGET"));
  const auto sight = row ? beats_->Place(*row) : std::nullopt;
  if (sight && asked_at - sight->sent_at <= options_.max_replication_lag) {
    const auto age = std::chrono::duration_cast<std::chrono::microseconds>(asked_at - sight->sent_at);
    lag_.store(sight->newest ? 0 : age.count(), std::memory_order_relaxed);
    return {};
  }
  return Error(ErrorCode::kUnavailable, fmt::format("the replica is further behind than max_replication_lag of {} ms",
                                                    options_.max_replication_lag.count()));
}

void Reader::Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) const {
  std::string name;
  for (std::size_t begin = 0; begin < operations.size(); begin += kGetsPerPipeline) {
    const std::size_t end = std::min(begin + kGetsPerPipeline, operations.size());
    struct Place {
      std::size_t partition;
      std::size_t operation;
    };
    std::vector<Place> places;
    places.reserve(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      if (Status valid = Validate(operations[i], options_.limits); !valid.ok()) {
        results[i] = OperationResult{};
        results[i].status = std::move(valid);
        continue;
      }
      places.push_back({partitions_.Of(operations[i].key), i});
    }
    if (places.empty()) continue;
    const auto first_of_its_partition = [&](std::size_t i) {
      return i == 0 || places[i].partition != places[i - 1].partition;
    };
    if (partitions_.size() > 1) {
      std::stable_sort(places.begin(), places.end(),
                       [](const Place& a, const Place& b) { return a.partition < b.partition; });
    }
    redis::Pipeline pipeline;
    // The time of each server first: an entry that it finds alive was alive during the call, and who has seen it expire
    // has done so after the time was taken.
    if (beats_ != nullptr) AskForBeat(pipeline);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::string& prefix = partitions_.prefix(places[i].partition);
      if (first_of_its_partition(i)) {
        if (partitions_.size() > 1) pipeline.For(prefix);
        if (clock_ == nullptr) pipeline.Add(redis::Effect::kRead, {"TIME"});
      }
      name.assign(prefix).append("e:").append(operations[places[i].operation].key);
      pipeline.Add(redis::Effect::kRead, {"GET", name});
    }
    const auto asked_at = beats_ != nullptr ? std::chrono::steady_clock::now() : Beats::Time{};
    redis::Replies replies = client_.Run(pipeline, deadline);
    std::size_t next = 0;
    const Status fresh = beats_ != nullptr ? CheckBeat(std::move(replies[next++]), asked_at) : Status();
    Result<Timestamp> now = Timestamp{};
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (first_of_its_partition(i)) {
        now = clock_ == nullptr ? TimeOf(std::move(replies[next++])) : Result<Timestamp>(clock_->Now());
      }
      OperationResult& result = results[places[i].operation];
      result = OperationResult{};
      auto row = redis::AsOptionalString(std::move(replies[next++]), "GET");
      if (!fresh.ok() || !row.ok() || !now.ok()) {
        result.status = !fresh.ok() ? fresh.error() : row.ok() ? now.error() : row.error();
        continue;
      }
      EntryPtr entry;
      if (*row) {
        auto decoded = DecodeRecord(**row);
        if (!decoded.ok()) {
          result.status = std::move(decoded).error();
          continue;
        }
        if (!IsExpired(**decoded, *now)) entry = std::move(*decoded);
      }
      DecideGet(operations[places[i].operation], std::move(entry), result);
    }
  }
}

// What a scan has of one partition.
struct Reader::Part {
  std::size_t partition = 0;
  Bounds bounds;                    // of what is left
  std::vector<KeyedEntry> entries;  // of the page read last, those before `next` are used
  std::size_t next = 0;
  std::size_t bytes = 0;  // of the page read last
  bool complete = false;  // nothing is left behind it
  bool ended = false;     // it is as full as it may be

  bool empty() const { return next == entries.size(); }
};

Status Reader::Fill(const ScanRequest& request, std::span<Part* const> parts, std::size_t limit, std::size_t bytes,
                    Deadline deadline) const {
  const std::string most_entries = std::to_string(limit);
  const std::string most_bytes = std::to_string(bytes);
  for (Part* part : parts) {
    if (!part->entries.empty()) {
      (request.descending ? part->bounds.high : part->bounds.low) = Exclusive(part->entries.back().key);
    }
    part->entries.clear();
    part->next = part->bytes = 0;
    part->ended = false;
  }
  while (true) {
    std::vector<Part*> asked;
    redis::Pipeline pipeline;
    if (beats_ != nullptr) AskForBeat(pipeline);
    for (Part* part : parts) {
      if (part->ended) continue;
      asked.push_back(part);
      const std::string found = std::to_string(part->entries.size());
      const std::string used = std::to_string(part->bytes);
      const std::string_view from = request.descending ? part->bounds.high : part->bounds.low;
      const std::string_view to = request.descending ? part->bounds.low : part->bounds.high;
      AddScript(pipeline, redis::Effect::kRead, scripts_.scan, options_, partitions_.prefix(part->partition),
                {ClockArgument(clock_), from, to, request.descending ? "1" : "0", request.keys_only ? "1" : "0",
                 most_entries, most_bytes, found, used, kLooksPerCall});
    }
    if (asked.empty()) return {};
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed during the scan");
    const auto asked_at = std::chrono::steady_clock::now();
    redis::Replies replies = client_.Run(pipeline, deadline);
    std::size_t next = 0;
    if (beats_ != nullptr) HOLDFAST_RETURN_IF_ERROR(CheckBeat(std::move(replies[next++]), asked_at));
    for (Part* part : asked) {
      HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> reply, redis::AsArray(std::move(replies[next++]), "scan"));
      if (reply.size() < 2 || !reply[0].IsString()) return Unexpected();
      for (std::size_t i = 2; i < reply.size(); ++i) {
        HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry item, ItemOf(reply[i], request.keys_only));
        part->bytes += BytesOf(item, request.keys_only);
        part->entries.push_back(std::move(item));
      }
      part->complete = reply[0].text() == "1";
      part->ended = !reply[1].IsString();
      if (!part->ended) (request.descending ? part->bounds.high : part->bounds.low) = Exclusive(reply[1].text());
    }
  }
}

std::size_t Reader::PageLimit(const ScanRequest& request) const {
  return std::min(request.limit, options_.limits.max_scan_entries);
}

Result<ScanPage> Reader::Scan(const ScanRequest& request, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(Validate(request));
  const std::optional<std::size_t> only = partitions_.Of(request.range);
  if (!only) return Merge(request, deadline);
  Part part;
  part.partition = *only;
  part.bounds = BoundsOf(request);
  Part* const parts = &part;
  HOLDFAST_RETURN_IF_ERROR(
      Fill(request, std::span(&parts, 1), PageLimit(request), options_.limits.max_scan_bytes, deadline));
  ScanPage page;
  page.entries = std::move(part.entries);
  page.complete = part.complete;
  return page;
}

Result<ScanPage> Reader::Merge(const ScanRequest& request, Deadline deadline) const {
  const std::size_t limit = PageLimit(request);
  const std::size_t most = options_.limits.max_scan_bytes;
  // Keys are spread evenly, so most pages are made of one share of each.
  const std::size_t share = limit / partitions_.size() + 1;
  const std::size_t share_bytes = most / partitions_.size() + 1;
  std::vector<Part> parts(partitions_.size());
  std::vector<Part*> wanting;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].partition = i;
    parts[i].bounds = BoundsOf(request);
    wanting.push_back(&parts[i]);
  }
  HOLDFAST_RETURN_IF_ERROR(Fill(request, wanting, share, share_bytes, deadline));
  const auto comes_first = [&](const Part& a, const Part& b) {
    const std::string& left = a.entries[a.next].key;
    const std::string& right = b.entries[b.next].key;
    return request.descending ? right < left : left < right;
  };
  ScanPage page;
  std::size_t used = 0;
  while (true) {
    Part* first = nullptr;
    bool more = false;
    for (Part& part : parts) {
      more = more || !part.empty() || !part.complete;
      if (!part.empty() && (first == nullptr || comes_first(part, *first))) first = &part;
    }
    page.complete = !more;
    // Whoever has used up its page has its next entry asked for before another is taken.
    if (first == nullptr || page.entries.size() == limit) return page;
    KeyedEntry& entry = first->entries[first->next];
    const std::size_t bytes = BytesOf(entry, request.keys_only);
    if (!page.entries.empty() && used + bytes > most) return page;
    used += bytes;
    // The part goes on behind this key, which stays where it is.
    page.entries.push_back({entry.key, std::move(entry.entry), entry.value_bytes});
    ++first->next;
    if (!first->empty() || first->complete || page.entries.size() == limit) continue;
    HOLDFAST_RETURN_IF_ERROR(Fill(request, std::span(&first, 1), share, share_bytes, deadline));
  }
}

Result<std::uint64_t> Reader::Count(const KeyRange& range, Deadline deadline) const {
  const Bounds bounds = BoundsOf(range);
  const std::optional<std::size_t> only = partitions_.Of(range);
  redis::Pipeline pipeline;
  for (std::size_t i = only.value_or(0); i < (only ? *only + 1 : partitions_.size()); ++i) {
    AddScript(pipeline, redis::Effect::kRead, scripts_.count, options_, partitions_.prefix(i),
              {ClockArgument(clock_), bounds.low, bounds.high, range.start, range.end ? "1" : "0",
               range.end ? std::string_view(*range.end) : std::string_view()});
  }
  std::uint64_t counted = 0;
  for (Result<redis::Value>& reply : client_.Run(pipeline, deadline)) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t count, redis::AsInteger(std::move(reply), "count"));
    counted += static_cast<std::uint64_t>(count);
  }
  return counted;
}

}  // namespace holdfast::storage::redis_backend
