#include "service/backends/postgres/kept_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/backends/postgres/entry_row.h"
#include "service/backends/postgres/reader.h"

namespace holdfast::storage::postgres {
namespace {

constexpr std::string_view kKind = "postgres ";
constexpr std::size_t kTokenBytes = 36;
constexpr std::uint64_t kDefaultLimit = std::uint64_t{64} << 20;

enum Column { kToken, kUntil, kComplete, kAt, kKey, kEntry };

// Empty: no position of ours.
std::string TokenOf(std::string_view position) {
  if (!position.starts_with(kKind)) return {};
  position.remove_prefix(kKind.size());
  const bool sound =
      position.size() == kTokenBytes && position.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
  return sound ? std::string(position) : std::string();
}

std::string PositionOf(const pqxx::field& token) {
  return fmt::format("{}{}", kKind, token.c_str());
}

}  // namespace

KeptChanges::KeptChanges(ConnectionPool& pool, const Statements& statements, ChangeLog& instances)
    : pool_(pool),
      instances_(instances),
      begin_{"begin_archive",
             fmt::format("SELECT token, until FROM {}.begin_archive($1, $2::bigint)", statements.schema),
             StatementKind::kRead},
      read_{"read_archive",
            fmt::format("SELECT token, until, complete, at, key, version, created_at, updated_at, expires_at, "
                        "content_type, metadata, tags, value FROM {}.read_archive($1, $2::uuid, $3::bigint, "
                        "$4::bigint)",
                        statements.schema),
            StatementKind::kRead},
      release_{"release_marks", fmt::format("SELECT {}.release_marks($1::uuid)", statements.schema),
               StatementKind::kRead},
      claim_{"claim_archive", fmt::format("SELECT {}.claim_archive($1, $2::bigint, $3::bigint)", statements.schema),
             StatementKind::kRead},
      yield_{"yield_archive", fmt::format("SELECT {}.yield_archive($1, $2::bigint)", statements.schema),
             StatementKind::kRead} {}

void KeptChanges::KeepAtMost(std::string_view prefix, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limits_.insert_or_assign(std::string(prefix), bytes);
}

std::int64_t KeptChanges::LimitOf(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  const auto limit = limits_.find(prefix);
  return static_cast<std::int64_t>(limit == limits_.end() ? kDefaultLimit : limit->second);
}

Result<ChangePage> KeptChanges::Begin(std::string_view prefix, std::string gap, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  const Answered begun = connection->Run(begin_, deadline, Bound(prefix), LimitOf(prefix));
  if (!begun.ok()) return begun.failure->error;
  ChangePage page;
  page.position = PositionOf(begun.rows[0][0]);
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t until, NumberOf(begun.rows[0][1]));
  page.until = TimeOf(until);
  page.complete = true;
  page.gap = std::move(gap);
  return page;
}

Result<Answered> KeptChanges::Ask(std::string_view prefix, const std::string& token, std::size_t most_bytes,
                                  Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(instances_.AwaitJoined(deadline));
  const std::int64_t instance = instances_.identity().instance;
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  Answered answered =
      connection->Run(read_, deadline, Bound(prefix), token, static_cast<std::int64_t>(most_bytes), instance);
  if (answered.ok()) return answered;
  if (answered.failure->sqlstate != kNotAnInstance) return answered.failure->error;
  // On another history it has to join first, which tells whether marks of before mean anything there.
  HOLDFAST_RETURN_IF_ERROR(instances_.Rejoin(instance, deadline));
  return Error(ErrorCode::kUnavailable, "this instance was taken for gone and has joined again; it is tried again");
}

Result<ChangePage> KeptChanges::Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                     Deadline deadline) {
  if (position.empty()) return Begin(prefix, "", deadline);
  const std::string token = TokenOf(position);
  if (token.empty()) return Begin(prefix, "the store was on another kind of backend", deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const Answered answered, Ask(prefix, token, most_bytes, deadline));
  if (answered.rows.empty()) {
    return Begin(prefix,
                 "the database does not keep the changes behind the last segment: more of them waited to be shipped "
                 "than backups.change_archive_buffer holds, or it is another database, or an earlier state of it",
                 deadline);
  }
  ChangePage page;
  page.position = PositionOf(answered.rows[0][kToken]);
  page.complete = answered.rows[0][kComplete].c_str()[0] == 't';
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t until, NumberOf(answered.rows[0][kUntil]));
  Timestamp newest{};
  for (const pqxx::row& row : answered.rows) {
    if (row[kKey].is_null()) continue;
    KeyChange change;
    HOLDFAST_ASSIGN_OR_RETURN(change.key, BytesOf(row[kKey]));
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t at, NumberOf(row[kAt]));
    HOLDFAST_ASSIGN_OR_RETURN(change.entry, EntryOf(row, kEntry));
    // One that took effect later may have been asked for earlier; whichever was answered, was so behind both.
    newest = std::max(newest, TimeOf(at));
    change.at = newest;
    page.passed += change.key.size() + (change.entry ? change.entry->value.size() : 0);
    page.changes.push_back(std::move(change));
  }
  page.until = page.complete ? std::max(TimeOf(until), newest) : newest;
  return page;
}

void KeptChanges::Release(const std::string& position, Deadline deadline) {
  const std::string token = TokenOf(position);
  if (token.empty()) return;
  const auto connection = pool_.Acquire(deadline);
  if (!connection.ok()) return;
  const Answered released = (*connection)->Run(release_, deadline, token);
  if (!released.ok()) log::Warn("releasing shipped changes failed", {{"error", released.failure->error.message()}});
}

Result<bool> KeptChanges::Claim(std::string_view prefix, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(instances_.AwaitJoined(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  const Answered claimed =
      connection->Run(claim_, deadline, Bound(prefix), instances_.identity().instance, LimitOf(prefix));
  if (!claimed.ok()) return claimed.failure->error;
  return claimed.rows[0][0].c_str()[0] == 't';
}

void KeptChanges::Yield(std::string_view prefix, Deadline deadline) {
  const auto connection = pool_.Acquire(deadline);
  if (!connection.ok()) return;
  // What is not given back goes with this instance.
  static_cast<void>((*connection)->Run(yield_, deadline, Bound(prefix), instances_.identity().instance).ok());
}

}  // namespace holdfast::storage::postgres
