#include "service/tenancy/quota_records.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace holdfast::tenancy {
namespace {

using nlohmann::json;

constexpr std::string_view kRowPrefix = "namespaces/";
constexpr const char* kFields[] = {"bytes", "keys", "requests_per_second"};

std::optional<std::uint64_t>* FieldOf(Quota* quota, std::string_view field) {
  if (field == kFields[0]) return &quota->bytes;
  if (field == kFields[1]) return &quota->keys;
  return &quota->requests_per_second;
}

std::string ToRow(Quota quota) {
  json row = json::object();
  for (const char* field : kFields) {
    if (const auto& limit = *FieldOf(&quota, field)) row[field] = *limit;
  }
  return row.dump();
}

std::optional<Quota> FromRow(const std::string& text) {
  const json row = json::parse(text, nullptr, false);
  if (!row.is_object()) return std::nullopt;
  Quota quota;
  for (const char* field : kFields) {
    const auto found = row.find(field);
    if (found == row.end()) continue;
    if (!found->is_number_unsigned()) return std::nullopt;
    *FieldOf(&quota, field) = found->get<std::uint64_t>();
  }
  return quota;
}

std::string RowKey(std::string_view name_space) {
  std::string key(kRowPrefix);
  key.append(name_space);
  return key;
}

}  // namespace

QuotaRecords::QuotaRecords(std::shared_ptr<storage::Backend> backend, std::string_view store,
                           std::shared_ptr<UsageAccounts> accounts)
    : backend_(std::move(backend)),
      rows_(storage::KeySpace(store, storage::kSystemNamespace).In(storage::Room::kSystem)),
      accounts_(std::move(accounts)) {}

Status QuotaRecords::Load(Deadline deadline) {
  const std::lock_guard lock(mutex_);
  storage::ScanRequest request;
  request.range = rows_.Wrap(storage::KeyRange::Prefix(kRowPrefix));
  while (true) {
    auto page = backend_->Scan(request, deadline);
    if (!page.ok()) return std::move(page).error().WithContext("reading the quotas of namespaces");
    for (const storage::KeyedEntry& item : page->entries) {
      const std::string name_space(rows_.Unwrap(item.key).substr(kRowPrefix.size()));
      const auto quota = FromRow(item.entry->value);
      if (!quota) {
        return Error(ErrorCode::kCorruption,
                     fmt::format("the stored quota of namespace {} cannot be read", name_space));
      }
      accounts_->SetQuota(name_space, *quota);
    }
    if (page->complete) return {};
    if (!page->entries.empty()) request.after = page->entries.back().key;
  }
}

Result<bool> QuotaRecords::Put(std::string_view name_space, const Quota& quota, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const auto result =
      storage::ExecuteOne(*backend_, storage::Operation::Put(rows_.Wrap(RowKey(name_space)), ToRow(quota)), deadline);
  if (!result.status.ok()) return result.status.error();
  accounts_->SetQuota(name_space, quota);
  return !result.existed;
}

Status QuotaRecords::Delete(std::string_view name_space, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const auto result =
      storage::ExecuteOne(*backend_, storage::Operation::Delete(rows_.Wrap(RowKey(name_space))), deadline);
  if (!result.status.ok()) return result.status.error();
  // A namespace nobody has heard of gets no account for that.
  if (accounts_->Find(name_space) != nullptr) accounts_->SetQuota(name_space, {});
  return {};
}

QuotaRecords::State QuotaRecords::Find(std::string_view name_space) const {
  const NamespaceAccount* account = accounts_->Find(name_space);
  State state;
  if (account != nullptr) state = {account->quota(), account->usage()};
  state.counted = accounts_->counted();
  return state;
}

}  // namespace holdfast::tenancy
