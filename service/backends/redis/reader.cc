#include "service/backends/redis/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
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
    redis::Pipeline pipeline;
    std::vector<std::size_t> places;
    // The time first: an entry that it finds alive was alive during the call, and who has seen it expire has done so
    // after the time was taken.
    if (beats_ != nullptr) AskForBeat(pipeline);
    if (clock_ == nullptr) pipeline.Add(redis::Effect::kRead, {"TIME"});
    for (std::size_t i = begin; i < end; ++i) {
      if (Status valid = Validate(operations[i], options_.limits); !valid.ok()) {
        results[i] = OperationResult{};
        results[i].status = std::move(valid);
        continue;
      }
      name.assign(options_.key_prefix).append("e:").append(operations[i].key);
      pipeline.Add(redis::Effect::kRead, {"GET", name});
      places.push_back(i);
    }
    if (places.empty()) continue;
    const auto asked_at = beats_ != nullptr ? std::chrono::steady_clock::now() : Beats::Time{};
    redis::Replies replies = client_.Run(pipeline, deadline);
    std::size_t next = 0;
    const Status fresh = beats_ != nullptr ? CheckBeat(std::move(replies[next++]), asked_at) : Status();
    Result<Timestamp> now = clock_ == nullptr ? TimeOf(std::move(replies[next++])) : Result<Timestamp>(clock_->Now());
    for (const std::size_t i : places) {
      OperationResult& result = results[i];
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
      DecideGet(operations[i], std::move(entry), result);
    }
  }
}

Result<ScanPage> Reader::Scan(const ScanRequest& request, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(Validate(request));
  Bounds bounds = BoundsOf(request);
  const std::string limit = std::to_string(std::min(request.limit, options_.limits.max_scan_entries));
  const std::string most = std::to_string(options_.limits.max_scan_bytes);
  ScanPage page;
  std::size_t used = 0;
  while (true) {
    const std::string found = std::to_string(page.entries.size());
    const std::string bytes = std::to_string(used);
    const std::string_view from = request.descending ? bounds.high : bounds.low;
    const std::string_view to = request.descending ? bounds.low : bounds.high;
    redis::Pipeline pipeline;
    if (beats_ != nullptr) AskForBeat(pipeline);
    const auto asked_at = std::chrono::steady_clock::now();
    pipeline.Call(redis::Effect::kRead, scripts_.scan, {options_.key_prefix},
                  {ClockArgument(clock_), from, to, request.descending ? "1" : "0", request.keys_only ? "1" : "0",
                   limit, most, found, bytes, kLooksPerCall});
    redis::Replies replies = client_.Run(pipeline, deadline);
    if (beats_ != nullptr) HOLDFAST_RETURN_IF_ERROR(CheckBeat(std::move(replies.front()), asked_at));
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> reply, redis::AsArray(std::move(replies.back()), "scan"));
    if (reply.size() < 2 || !reply[0].IsString()) return Unexpected();
    for (std::size_t i = 2; i < reply.size(); ++i) {
      HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry item, ItemOf(reply[i], request.keys_only));
      used += item.key.size() + (request.keys_only ? 0 : item.value_bytes);
      page.entries.push_back(std::move(item));
    }
    page.complete = reply[0].text() == "1";
    if (!reply[1].IsString()) return page;
    (request.descending ? bounds.high : bounds.low) = Exclusive(reply[1].text());
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed during the scan");
  }
}

Result<std::uint64_t> Reader::Count(const KeyRange& range, Deadline deadline) const {
  const Bounds bounds = BoundsOf(range);
  redis::Pipeline pipeline;
  pipeline.Call(redis::Effect::kRead, scripts_.count, {options_.key_prefix},
                {ClockArgument(clock_), bounds.low, bounds.high, range.start, range.end ? "1" : "0",
                 range.end ? std::string_view(*range.end) : std::string_view()});
  redis::Replies replies = client_.Run(pipeline, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t count, redis::AsInteger(std::move(replies[0]), "count"));
  return static_cast<std::uint64_t>(count);
}

}  // namespace holdfast::storage::redis_backend
