#include "service/storage/key_space.h"

#include <algorithm>

namespace holdfast::storage {
namespace {

constexpr std::size_t kMaxNameBytes = 63;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

Limits BackendLimits(Limits clients) {
  clients.max_key_bytes += kReservedKeyBytes;
  clients.max_operations += kReservedOperations;
  clients.max_scan_entries = std::max(clients.max_scan_entries, Limits{}.max_scan_entries);
  return clients;
}

bool IsValidNamespace(std::string_view name) {
  if (name == kDefaultNamespace) return true;  // almost every request
  return !name.empty() && name.size() <= kMaxNameBytes && IsAlphanumeric(name.front()) && IsAlphanumeric(name.back()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

KeySpace::KeySpace(std::string_view store, std::string_view name_space) {
  prefix_.reserve(store.size() + name_space.size() + 2);
  prefix_.append(store).push_back('\0');
  prefix_.append(name_space).push_back('\0');
}

KeySpace KeySpace::In(Room room) const {
  return KeySpace(prefix_ + static_cast<char>(room));
}

std::string KeySpace::Wrap(std::string_view key) const {
  std::string wrapped;
  wrapped.reserve(prefix_.size() + key.size());
  wrapped.append(prefix_).append(key);
  return wrapped;
}

KeyRange KeySpace::Wrap(const KeyRange& range) const {
  KeyRange wrapped;
  wrapped.start = Wrap(range.start);
  wrapped.end = range.end ? std::optional(Wrap(*range.end)) : KeyRange::Prefix(prefix_).end;
  return wrapped;
}

void KeySpace::Wrap(Operation& operation) const {
  operation.key = Wrap(operation.key);
}

void KeySpace::Wrap(Transaction& transaction) const {
  for (Condition& condition : transaction.conditions) condition.key.insert(0, prefix_);
  for (Operation& operation : transaction.then) Wrap(operation);
  for (Operation& operation : transaction.otherwise) Wrap(operation);
}

void KeySpace::Wrap(ScanRequest& request) const {
  request.range = Wrap(request.range);
  if (request.after) request.after->insert(0, prefix_);
  if (!request.filter) return;
  const auto on_key = [](const EntryCondition& condition) { return condition.field == EntryCondition::Field::kKey; };
  const std::vector<EntryCondition>& given = *request.filter->conditions;
  if (std::none_of(given.begin(), given.end(), on_key)) return;
  // All keys of the range begin with the prefix, so it changes the outcome of no comparison.
  std::vector<EntryCondition> wrapped = given;
  for (EntryCondition& condition : wrapped) {
    if (!on_key(condition)) continue;
    for (Literal& literal : condition.comparison.literals) std::get<std::string>(literal).insert(0, prefix_);
  }
  request.filter->conditions = std::make_shared<const std::vector<EntryCondition>>(std::move(wrapped));
}

std::optional<KeyPlace> FindPlace(std::string_view backend_key) {
  // No store's: the rows that a migration keeps beside it (service/dual_write/rows.h), which may hold any bytes.
  if (backend_key.starts_with('\1')) return std::nullopt;
  const std::size_t store_end = backend_key.find('\0');
  if (store_end == std::string_view::npos) return std::nullopt;
  const std::size_t end = backend_key.find('\0', store_end + 1);
  if (end == std::string_view::npos || end + 1 == backend_key.size()) return std::nullopt;
  return KeyPlace{backend_key.substr(0, store_end), backend_key.substr(store_end + 1, end - store_end - 1),
                  static_cast<Room>(backend_key[end + 1]), backend_key.substr(end + 2)};
}

}  // namespace holdfast::storage
