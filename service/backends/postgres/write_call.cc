#include "service/backends/postgres/write_call.h"

#include "service/backends/postgres/entry_row.h"

namespace holdfast::storage::postgres {
namespace {

using Type = ArrayParameter::Type;

constexpr std::int16_t kErase = 0;
constexpr std::int16_t kWrite = 1;
constexpr std::int16_t kTouch = 2;
constexpr std::int16_t kCheck = 3;

void AddUnlessEmpty(ArrayParameter& array, std::string_view bytes) {
  if (bytes.empty()) {
    array.AddNull();
  } else {
    array.AddBytes(bytes);
  }
}

std::optional<std::int64_t> Microseconds(const std::optional<Timestamp>& time) {
  if (!time) return std::nullopt;
  return MicrosecondsOf(*time);
}

Result<WriteAnswer> Read(const pqxx::result& rows, std::size_t expected) {
  WriteAnswer answer;
  answer.rows.resize(expected);
  for (const pqxx::row& row : rows) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t n, NumberOf(row[0]));
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t first_version, NumberOf(row[2]));
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t at, NumberOf(row[3]));
    answer.first_version = static_cast<Version>(first_version);
    answer.at = TimeOf(at);
    if (!row[4].is_null()) {
      HOLDFAST_ASSIGN_OR_RETURN(answer.log_position, NumberOf(row[4]));
    }
    WriteAnswer::Row& of = answer.rows.at(static_cast<std::size_t>(n - 1));
    of.held = row[1].c_str()[0] == 't';
    HOLDFAST_ASSIGN_OR_RETURN(of.before, EntryOf(row, 5));
  }
  return answer;
}

}  // namespace

WriteCall::WriteCall()
    : keys_(Type::kBytea),
      blind_(Type::kBoolean),
      seen_versions_(Type::kBigint),
      seen_expiries_(Type::kBigint),
      actions_(Type::kSmallint),
      offsets_(Type::kInteger),
      created_at_(Type::kBigint),
      updated_at_(Type::kBigint),
      expires_at_(Type::kBigint),
      ttls_(Type::kBigint),
      content_types_(Type::kBytea),
      metadata_(Type::kBytea),
      tags_(Type::kText),
      values_(Type::kBytea) {}

void WriteCall::AddAttributes(const std::string& content_type, const std::string& metadata,
                              const std::vector<std::string>& tags) {
  AddUnlessEmpty(content_types_, content_type);
  AddUnlessEmpty(metadata_, metadata);
  if (tags.empty()) {
    tags_.AddNull();
  } else {
    tags_.AddBytes(EncodeByteaList(tags));
  }
}

void WriteCall::AddBlind(const Operation& operation, std::size_t index) {
  ++rows_;
  keys_.AddBytes(operation.key);
  blind_.AddBoolean(true);
  seen_versions_.AddNull();
  seen_expiries_.AddNull();
  created_at_.AddNull();
  updated_at_.AddNull();
  offsets_.AddInteger(static_cast<std::int32_t>(index));
  const bool put = operation.kind == OperationKind::kPut;
  only_blind_puts_ = only_blind_puts_ && put;
  actions_.AddSmallint(put ? kWrite : kErase);
  if (!put) {
    expires_at_.AddNull();
    ttls_.AddNull();
    AddAttributes({}, {}, {});
    values_.AddNull();
    return;
  }
  const Expiry& expiry = operation.expiry;
  const bool at = expiry.kind == Expiry::Kind::kAt;
  const bool after = expiry.kind == Expiry::Kind::kAfter;
  expires_at_.AddBigint(at ? std::optional(MicrosecondsOf(expiry.at)) : std::nullopt);
  ttls_.AddBigint(after ? std::optional<std::int64_t>(expiry.after.count()) : std::nullopt);
  AddAttributes(operation.content_type, operation.metadata, operation.tags);
  values_.AddBytes(operation.value);
}

void WriteCall::Add(std::string_view key, const EntryPtr& seen, const EntryPtr& next) {
  const bool write = next && next->version >= kProvisionalVersion;
  AddRow(key, seen, next, write ? kWrite : next ? kTouch : kErase);
}

void WriteCall::AddCheck(std::string_view key, const EntryPtr& seen) {
  AddRow(key, seen, nullptr, kCheck);
}

void WriteCall::AddRow(std::string_view key, const EntryPtr& seen, const EntryPtr& next, std::int16_t action) {
  ++rows_;
  only_blind_puts_ = false;
  keys_.AddBytes(key);
  blind_.AddBoolean(false);
  seen_versions_.AddBigint(seen ? std::optional(static_cast<std::int64_t>(seen->version)) : std::nullopt);
  seen_expiries_.AddBigint(seen ? Microseconds(seen->expires_at) : std::nullopt);
  ttls_.AddNull();
  const bool write = action == kWrite;
  actions_.AddSmallint(action);
  offsets_.AddInteger(write ? static_cast<std::int32_t>(next->version - kProvisionalVersion) : 0);
  expires_at_.AddBigint(next ? Microseconds(next->expires_at) : std::nullopt);
  created_at_.AddBigint(write ? std::optional(MicrosecondsOf(next->created_at)) : std::nullopt);
  updated_at_.AddBigint(write ? std::optional(MicrosecondsOf(next->updated_at)) : std::nullopt);
  if (write) {
    AddAttributes(next->content_type, next->metadata, next->tags);
    values_.AddBytes(next->value);
  } else {
    AddAttributes({}, {}, {});
    values_.AddNull();
  }
}

Result<WriteAnswer> WriteCall::Run(Connection& connection, const Statements& statements,
                                   std::span<const std::uint32_t> stripes, const Terms& terms, const Clock* clock,
                                   Deadline deadline, std::optional<StatementFailure>* failure) {
  ArrayParameter locks(Type::kInteger);
  for (const std::uint32_t stripe : stripes) locks.AddInteger(static_cast<std::int32_t>(stripe));
  // Left out, they mean just that, and the server takes its shortest way.
  if (only_blind_puts_) {
    blind_ = ArrayParameter(Type::kBoolean);
    actions_ = ArrayParameter(Type::kSmallint);
  }
  ServerClock now(clock);
  const std::string read_at = terms.read_at ? std::to_string(MicrosecondsOf(*terms.read_at)) : std::string();
  Answered answered =
      connection.Run(statements.write_entries, deadline, Bound(locks), terms.writer.instance, terms.writer.alone_epoch,
                     terms.all_or_nothing, static_cast<int>(terms.cause), now.Parameter(),
                     static_cast<const char*>(terms.read_at ? read_at.c_str() : nullptr), Bound(keys_), Bound(blind_),
                     Bound(seen_versions_), Bound(seen_expiries_), Bound(actions_), Bound(offsets_), Bound(created_at_),
                     Bound(updated_at_), Bound(expires_at_), Bound(ttls_), Bound(content_types_), Bound(metadata_),
                     Bound(tags_), Bound(values_));
  if (!answered.ok()) {
    *failure = std::move(answered.failure);
    return (*failure)->error;
  }
  return Read(answered.rows, rows_);
}

}  // namespace holdfast::storage::postgres
