#include "service/backends/postgres/reader.h"

#include <algorithm>

#include "service/backends/postgres/condition_sql.h"
#include "service/backends/postgres/entry_row.h"
#include "service/storage/decision.h"

namespace holdfast::storage::postgres {

pqxx::binarystring Bound(std::string_view bytes) {
  return pqxx::binarystring(bytes.data(), bytes.size());
}

pqxx::binarystring Bound(ArrayParameter& array) {
  return Bound(array.Encoded());
}

Result<StoredRows> Reader::Read(Connection& connection, std::span<const std::string_view> keys,
                                Deadline deadline) const {
  ArrayParameter wanted(ArrayParameter::Type::kBytea);
  for (const std::string_view key : keys) wanted.AddBytes(key);
  ServerClock clock(clock_);
  const Answered answered = connection.Run(statements_.read_entries, deadline, Bound(wanted), clock.Parameter());
  if (!answered.ok()) return answered.failure->error;
  StoredRows stored;
  stored.entries.resize(keys.size());
  for (const pqxx::row& row : answered.rows) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t n, NumberOf(row[0]));
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t at, NumberOf(row[1]));
    stored.at = TimeOf(at);
    HOLDFAST_ASSIGN_OR_RETURN(stored.entries.at(static_cast<std::size_t>(n - 1)), EntryOf(row, 2));
  }
  return stored;
}

Status Reader::Gets(std::span<const Operation> operations, std::span<OperationResult> results,
                    std::span<const std::size_t> places, Deadline deadline) const {
  std::vector<std::string_view> keys;
  keys.reserve(places.size());
  for (const std::size_t i : places) keys.push_back(operations[i].key);
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(StoredRows stored, Read(*connection, keys, deadline));
  for (std::size_t i = 0; i < places.size(); ++i) {
    EntryPtr entry = std::move(stored.entries[i]);
    if (entry && IsExpired(*entry, stored.at)) entry = nullptr;
    DecideGet(operations[places[i]], std::move(entry), results[places[i]]);
  }
  return {};
}

namespace {

// What is left of the range behind `after`.
struct Bounds {
  std::string start;
  std::optional<std::string> end;
};

Bounds BoundsOf(const ScanRequest& request) {
  Bounds bounds{request.range.start, request.range.end};
  if (request.after && request.descending) {
    if (!bounds.end || *request.after < *bounds.end) bounds.end = request.after;
  } else if (request.after && *request.after >= bounds.start) {
    bounds.start = *request.after + '\0';
  }
  return bounds;
}

// Columns of both kinds of scans; those of an entry stand at kAttributes.
enum Column { kKey, kValueBytes, kFound, kAttributes, kLooked = kAttributes + 8, kMatches };

Result<KeyedEntry> ItemOf(const pqxx::row& row) {
  KeyedEntry item;
  HOLDFAST_ASSIGN_OR_RETURN(item.key, BytesOf(row[kKey]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t value_bytes, NumberOf(row[kValueBytes]));
  HOLDFAST_ASSIGN_OR_RETURN(item.entry, EntryOf(row, kAttributes));
  item.value_bytes = static_cast<std::size_t>(value_bytes);
  return item;
}

}  // namespace

Result<ScanPage> Reader::Scan(const ScanRequest& request, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(Validate(request));
  if (request.filter) return FilteredScan(request, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  return Scan(*connection, request, deadline);
}

Result<ScanPage> Reader::Scan(Connection& connection, const ScanRequest& request, Deadline deadline) const {
  const Bounds bounds = BoundsOf(request);
  const std::size_t limit = std::min(request.limit, options_.limits.max_scan_entries);
  const Statement statement = statements_.Scan({bounds.end.has_value(), request.descending, request.keys_only});
  ServerClock clock(clock_);
  const char* now = clock.Parameter();
  const std::string bytes = std::to_string(options_.limits.max_scan_bytes);
  const std::string entries = std::to_string(limit);
  const Answered answered =
      bounds.end ? connection.Run(statement, deadline, Bound(bounds.start), now, entries, bytes, Bound(*bounds.end))
                 : connection.Run(statement, deadline, Bound(bounds.start), now, entries, bytes);
  if (!answered.ok()) return answered.failure->error;

  ScanPage page;
  std::int64_t found = 0;
  page.entries.reserve(answered.rows.size());
  for (const pqxx::row& row : answered.rows) {
    HOLDFAST_ASSIGN_OR_RETURN(found, NumberOf(row[kFound]));
    HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry item, ItemOf(row));
    page.entries.push_back(std::move(item));
  }
  page.complete = static_cast<std::size_t>(found) == page.entries.size();
  return page;
}

namespace {

// A connection in a transaction that shows one moment; leaves it at the end.
class Moment {
 public:
  Moment(ConnectionPool::Lease connection, const Statement& end) : connection_(std::move(connection)), end_(end) {}
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;
  ~Moment() {
    constexpr std::chrono::seconds kPatience{5};
    if (!begun_) return;
    // A failure makes the connection one that the pool closes.
    if (connection_->usable()) static_cast<void>(connection_->RunPlain(end_, Deadline::After(kPatience)));
  }

  Status Begin(const Statement& begin, Deadline deadline) {
    const Answered answered = connection_->RunPlain(begin, deadline);
    begun_ = answered.ok() || connection_->usable();
    return answered.ok() ? Status() : Status(answered.failure->error);
  }
  Connection& connection() const { return *connection_; }

 private:
  const ConnectionPool::Lease connection_;
  const Statement& end_;
  bool begun_ = false;
};

}  // namespace

Result<SnapshotPages> Reader::OpenSnapshot(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(ConnectionPool::Lease connection, pool_.Acquire(deadline));
  const auto moment = std::make_shared<Moment>(std::move(connection), statements_.rollback);
  HOLDFAST_RETURN_IF_ERROR(moment->Begin(statements_.begin_snapshot, deadline));
  // The first statement, not BEGIN, is what takes the snapshot.
  HOLDFAST_RETURN_IF_ERROR(Read(moment->connection(), {}, deadline));
  return SnapshotPages([this, moment](const ScanRequest& request, Deadline until) {
    return Scan(moment->connection(), request, until);
  });
}

Result<ScanPage> Reader::FilteredScan(const ScanRequest& request, Deadline deadline) const {
  const Bounds bounds = BoundsOf(request);
  const ScanFilter& filter = *request.filter;
  const ConditionSql condition = MakeConditionSql(*filter.conditions, bounds.end ? 7 : 6);
  const Statement statement =
      statements_.FilteredScan({bounds.end.has_value(), request.descending, request.keys_only}, condition);
  const std::size_t most =
      std::min({request.limit, filter.max_matches, filter.max_examined, options_.limits.max_scan_entries});
  const std::string matches = std::to_string(most);
  const std::string bytes = std::to_string(options_.limits.max_scan_bytes);
  const std::string examined = std::to_string(filter.max_examined);
  ServerClock clock(clock_);
  const char* now = clock.Parameter();
  const auto parameters = pqxx::prepare::make_dynamic_params(condition.parameters);
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  const Answered answered =
      bounds.end ? connection->Run(statement, deadline, Bound(bounds.start), now, matches, bytes, examined,
                                   Bound(*bounds.end), parameters)
                 : connection->Run(statement, deadline, Bound(bounds.start), now, matches, bytes, examined, parameters);
  if (!answered.ok()) return answered.failure->error;

  ScanPage page;
  page.complete = true;
  page.entries.reserve(answered.rows.size());
  std::size_t looked = 0;
  for (const pqxx::row& row : answered.rows) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t found, NumberOf(row[kFound]));
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t place, NumberOf(row[kLooked]));
    looked = static_cast<std::size_t>(place);
    page.complete = static_cast<std::size_t>(found) == answered.rows.size() && looked < filter.max_examined;
    if (row[kMatches].c_str()[0] == 't') {
      HOLDFAST_ASSIGN_OR_RETURN(KeyedEntry item, ItemOf(row));
      page.entries.push_back(std::move(item));
    } else {
      HOLDFAST_ASSIGN_OR_RETURN(page.reached, BytesOf(row[kKey]));
    }
  }
  page.left_out = looked - std::min(looked, page.entries.size());
  return page;
}

Result<std::uint64_t> Reader::Count(const KeyRange& range, Deadline deadline) const {
  const Statement statement = statements_.Count(range.end.has_value());
  ServerClock clock(clock_);
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  const Answered answered =
      range.end ? connection->Run(statement, deadline, Bound(range.start), clock.Parameter(), Bound(*range.end))
                : connection->Run(statement, deadline, Bound(range.start), clock.Parameter());
  if (!answered.ok()) return answered.failure->error;
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t count, NumberOf(answered.rows[0][0]));
  return static_cast<std::uint64_t>(count);
}

}  // namespace holdfast::storage::postgres
