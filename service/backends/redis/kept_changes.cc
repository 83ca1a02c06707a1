#include "service/backends/redis/kept_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <utility>

#include "base/log/log.h"
#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
#include "service/backends/redis/script_call.h"
#include "service/backends/redis/stream_stand.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr std::string_view kKind = "redis ";
constexpr std::uint64_t kDefaultLimit = std::uint64_t{64} << 20;
constexpr std::string_view kUnknownToken = "-";
// Behind whatever a step has.
constexpr std::string_view kAfterStep = "-18446744073709551615";

std::string NewToken() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::string_view StoreOf(std::string_view prefix) {
  prefix.remove_suffix(prefix.empty() ? 0 : 1);
  return prefix;
}

std::string GapOf(std::string_view why) {
  if (why == "buffer") return "more changes waited to be shipped than backups.change_archive_buffer holds";
  if (why == "restarted") {
    return "the Redis server was started again or another one took over, so that acknowledged writes may be lost";
  }
  if (why == "unlogged") return "a version of the program has written that keeps no changes for change logs";
  if (why == "again") return "what was read before is asked for again";
  return "the Redis server does not have the changes behind the last segment: it has lost its data, or is another one, "
         "or an earlier state of it";
}

Error Unexpected(std::string_view script) {
  return {ErrorCode::kInternal, fmt::format("{}: a reply of another form", script)};
}

Result<std::vector<redis::Value>> Words(Result<redis::Value> reply, const redis::Script& script, std::size_t least) {
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> words, redis::AsArray(std::move(reply), script.name()));
  const auto text = [](const redis::Value& word) { return word.IsString(); };
  const auto end = words.begin() + static_cast<std::ptrdiff_t>(std::min(least, words.size()));
  if (words.size() < least || !std::all_of(words.begin(), end, text)) return Unexpected(script.name());
  return words;
}

Result<Timestamp> TimeOf(const redis::Value& digits) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t microseconds, NumberOf(digits));
  return Timestamp{std::chrono::microseconds{microseconds}};
}

}  // namespace

KeptChanges::KeptChanges(redis::Client& client, const Scripts& scripts, const RedisOptions& options,
                         const Partitions& partitions)
    : client_(client),
      scripts_(scripts),
      options_(options),
      partitions_(partitions),
      durable_(options.durable && options.client.target.topology == redis::Target::Topology::kStandalone ? "1" : "0") {}

std::string KeptChanges::PositionOf(const Place& place) {
  std::string position = fmt::format("{}{}", kKind, place.token);
  for (const std::uint64_t step : place.steps) position.append(" ").append(std::to_string(step));
  return position;
}

std::optional<KeptChanges::Place> KeptChanges::PlaceOf(std::string_view position) const {
  if (!position.starts_with(kKind)) return std::nullopt;
  position.remove_prefix(kKind.size());
  const std::size_t token = std::min(position.find(' '), position.size());
  Place place{std::string(position.substr(0, token)), {}};
  position.remove_prefix(token);
  while (position.starts_with(' ')) {
    position.remove_prefix(1);
    std::uint64_t step = 0;
    const auto [end, error] = std::from_chars(position.data(), position.data() + position.size(), step);
    if (error != std::errc()) return std::nullopt;
    position.remove_prefix(static_cast<std::size_t>(end - position.data()));
    place.steps.push_back(step);
  }
  const bool sound = position.empty() && !place.token.empty() && place.steps.size() == partitions_.size();
  return sound ? std::optional(std::move(place)) : std::nullopt;
}

void KeptChanges::KeepAtMost(std::string_view prefix, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limits_.insert_or_assign(std::string(prefix), bytes);
}

std::string KeptChanges::LimitOf(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  const auto limit = limits_.find(prefix);
  return std::to_string((limit == limits_.end() ? kDefaultLimit : limit->second) / partitions_.size());
}

void KeptChanges::Remember(const std::string& token, std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  tokens_.insert_or_assign(std::string(prefix), token);
}

Result<redis::Value> KeptChanges::Call(std::size_t partition, const redis::Script& script,
                                       std::initializer_list<std::string_view> arguments, Deadline deadline) {
  redis::Pipeline pipeline;
  AddScript(pipeline, redis::Effect::kWrite, script, options_, partitions_.prefix(partition), arguments);
  return std::move(client_.Run(pipeline, deadline)[0]);
}

// The first partition says which token it is: of two that begin at once, both are told the same.
Result<ChangePage> KeptChanges::Begin(std::string_view prefix, std::string gap, Deadline deadline) {
  Place place{NewToken(), {}};
  const std::string limit = LimitOf(prefix);
  ChangePage page;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(
        const std::vector<redis::Value> begun,
        Words(Call(i, scripts_.begin_archive,
                   {StoreOf(prefix), place.token, limit, durable_, i == 0 ? std::string_view("0") : "1"}, deadline),
              scripts_.begin_archive, 3));
    place.token = begun[0].text();
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t step, NumberOf(begun[1]));
    place.steps.push_back(static_cast<std::uint64_t>(step));
    HOLDFAST_ASSIGN_OR_RETURN(const Timestamp now, TimeOf(begun[2]));
    page.until = i == 0 ? now : std::min(page.until, now);
  }
  Remember(place.token, prefix);
  page.position = PositionOf(place);
  page.complete = true;
  page.gap = std::move(gap);
  return page;
}

Result<std::string> KeptChanges::TakeRow(redis::Value row, Timestamp* newest, std::vector<Piece::Row>* rows,
                                         std::size_t* wanted) const {
  constexpr std::size_t kBeforeKeys = 4;
  const std::string& script = scripts_.read_archive.name();
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> parts, redis::AsArray(std::move(row), script));
  if (parts.size() != 2 || !parts[0].IsString()) return Unexpected(script);
  const std::string& id = parts[0].text();
  std::uint64_t step = 0;
  if (std::from_chars(id.data(), id.data() + id.size(), step).ec != std::errc()) return Unexpected(script);
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<redis::Value> fields,
                            Words(std::move(parts[1]), scripts_.read_archive, kBeforeKeys));
  HOLDFAST_ASSIGN_OR_RETURN(const Timestamp at, TimeOf(fields[1]));
  // The server's clock may have been set back.
  *newest = std::max(*newest, at);
  for (std::size_t i = kBeforeKeys; i < fields.size(); i += 2) {
    if (i + 1 == fields.size() || !fields[i].IsString() || !fields[i + 1].IsString()) return Unexpected(script);
    const std::string& record = fields[i + 1].text();
    Piece::Row next{step, {fields[i].text(), *newest, nullptr}};
    if (!record.empty()) {
      HOLDFAST_ASSIGN_OR_RETURN(next.change.entry, DecodeRecord(record));
    }
    *wanted -= std::min(*wanted, next.change.key.size() + record.size());
    rows->push_back(std::move(next));
  }
  return id;
}

Result<KeptChanges::Piece> KeptChanges::ReadPart(std::size_t partition, std::string_view store, const Place& place,
                                                 std::size_t most_bytes, Deadline deadline) {
  Piece piece;
  Timestamp newest{};
  std::string from = std::to_string(place.steps[partition]).append(kAfterStep);
  std::size_t wanted = most_bytes;
  for (bool more = true; more;) {
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> words,
                              Words(Call(partition, scripts_.read_archive,
                                         {store, place.token, from, std::to_string(wanted), durable_}, deadline),
                                    scripts_.read_archive, 2));
    if (words[0].text() == "gap") {
      piece.gap = words[1].text().empty() ? kUnknownToken : words[1].text();
      return piece;
    }
    more = words[0].text() == "within";
    piece.complete = words[0].text() == "end";
    HOLDFAST_ASSIGN_OR_RETURN(piece.until, TimeOf(words[1]));
    for (std::size_t i = 2; i < words.size(); ++i) {
      HOLDFAST_ASSIGN_OR_RETURN(from, TakeRow(std::move(words[i]), &newest, &piece.rows, &wanted));
    }
  }
  piece.until = piece.complete ? std::max(piece.until, newest) : newest;
  return piece;
}

Result<ChangePage> KeptChanges::Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                     Deadline deadline) {
  if (position.empty()) return Begin(prefix, "", deadline);
  std::optional<Place> place = PlaceOf(position);
  if (!place) return Begin(prefix, "the store was on another backend, or on other parts of a Redis Cluster", deadline);
  Remember(place->token, prefix);
  const std::size_t each = std::max<std::size_t>(1, most_bytes / partitions_.size());
  ChangePage page;
  page.complete = true;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(Piece piece, ReadPart(i, StoreOf(prefix), *place, each, deadline));
    if (!piece.gap.empty()) return Begin(prefix, GapOf(piece.gap), deadline);
    page.until = i == 0 ? piece.until : std::min(page.until, piece.until);
    page.complete = page.complete && piece.complete;
    pieces.push_back(std::move(piece));
  }
  // What is newer than another partition was read up to is left for the next page, so that times only go on.
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    for (Piece::Row& row : pieces[i].rows) {
      if (row.change.at > page.until) break;
      place->steps[i] = row.step;
      page.passed += row.change.key.size() + (row.change.entry ? row.change.entry->value.size() : 0);
      page.changes.push_back(std::move(row.change));
    }
  }
  if (pieces.size() > 1) {
    std::stable_sort(page.changes.begin(), page.changes.end(),
                     [](const KeyChange& a, const KeyChange& b) { return a.at < b.at; });
  }
  page.position = PositionOf(*place);
  return page;
}

void KeptChanges::Release(const std::string& position, Deadline deadline) {
  const std::optional<Place> place = PlaceOf(position);
  if (!place) return;
  std::string prefix;
  {
    const std::lock_guard lock(mutex_);
    const auto its = std::find_if(tokens_.begin(), tokens_.end(),
                                  [&place](const auto& token) { return token.second == place->token; });
    if (its == tokens_.end()) return;
    prefix = its->first;
  }
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    const auto released =
        Call(i, scripts_.release_archive, {StoreOf(prefix), place->token, std::to_string(place->steps[i])}, deadline);
    if (!released.ok()) log::Warn("releasing shipped changes failed", {{"error", released.error().message()}});
  }
}

Result<bool> KeptChanges::Claim(std::string_view prefix, std::string_view instance, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(
      const std::int64_t claimed,
      redis::AsInteger(Call(0, scripts_.claim_archive, {StoreOf(prefix), instance, LimitOf(prefix)}, deadline),
                       scripts_.claim_archive.name()));
  return claimed == 1;
}

void KeptChanges::Yield(std::string_view prefix, std::string_view instance, Deadline deadline) {
  // What is not given back goes with this instance.
  static_cast<void>(Call(0, scripts_.yield_archive, {StoreOf(prefix), instance}, deadline).ok());
}

}  // namespace holdfast::storage::redis_backend
