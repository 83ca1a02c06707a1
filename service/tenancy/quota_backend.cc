#include "service/tenancy/quota_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "service/storage/forwarding_backend.h"

namespace holdfast::tenancy {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;

bool MayGrow(OperationKind kind) {
  return kind == OperationKind::kPut || kind == OperationKind::kIncrement;
}

bool Removes(OperationKind kind) {
  return kind == OperationKind::kDelete || kind == OperationKind::kTake;
}

Error AboveQuota(const NamespaceAccount& account) {
  const Quota quota = account.quota();
  const Amount used = account.usage();
  const auto show = [](std::string_view unit, std::int64_t usage, const std::optional<std::uint64_t>& limit) {
    return limit ? fmt::format("{} of {} {}", usage, *limit, unit) : std::string();
  };
  const std::string bytes = show("bytes", used.bytes, quota.bytes);
  const std::string keys = show("keys", used.keys, quota.keys);
  return {ErrorCode::kResourceExhausted,
          fmt::format("the namespace {} uses {}{}{} and this write does not fit; delete something or have the quota "
                      "raised",
                      account.name_space(), bytes, bytes.empty() || keys.empty() ? "" : " and ", keys)};
}

Error StillCounting(const NamespaceAccount& account) {
  return {ErrorCode::kUnavailable,
          fmt::format("what the namespace {} uses is being counted since the start, and it has a quota; nothing was "
                      "attempted, try again in a moment",
                      account.name_space())};
}

// Set aside for one operation of a limited namespace.
struct Reservation {
  NamespaceAccount* account = nullptr;  // null = the operation needs no room
  Amount amount;
};

// What the entries under some keys count for at this moment.
class CurrentAmounts {
 public:
  void Want(const Operation& operation) { amounts_.try_emplace(operation.key); }

  Status Read(storage::Backend& backend, Deadline deadline) {
    std::vector<Operation> gets;
    gets.reserve(amounts_.size());
    for (const auto& [key, amount] : amounts_) gets.push_back(Operation::Get(key));
    std::vector<OperationResult> results(gets.size());
    if (!gets.empty()) backend.Execute(gets, results, deadline);
    auto result = results.begin();
    for (auto& [key, current] : amounts_) {
      if (result->status.ok()) {
        current.amount = AmountOf(*storage::FindPlace(key), *result->entry, result->entry->value.size());
        current.value_bytes = static_cast<std::int64_t>(result->entry->value.size());
      } else if (result->status.error().code() != ErrorCode::kNotFound) {
        return result->status;
      }
      ++result;
    }
    return {};
  }

  // What the entry may count for once the operation has been done; what it adds.
  Amount Apply(const Operation& operation) {
    Current& current = amounts_[operation.key];
    const Amount before = current.amount;
    if (Removes(operation.kind)) {
      current = {};
    } else {
      Amount after = AmountOf(*storage::FindPlace(operation.key), operation);
      if (operation.kind == OperationKind::kIncrement && before != Amount{}) {
        after.bytes = before.bytes - current.value_bytes + (after.bytes - KeyBytes(operation));
      }
      current.value_bytes = after.bytes - KeyBytes(operation);
      current.amount = after;
    }
    Amount growth = current.amount;
    growth -= before;
    return growth;
  }

  // Takes back an Apply that was not let through, or may not happen: the larger of both stands.
  void KeepLarger(const Operation& operation, const Amount& before) {
    Amount& amount = amounts_[operation.key].amount;
    amount = {std::max(amount.bytes, before.bytes), std::max(amount.keys, before.keys)};
  }
  Amount Of(const Operation& operation) { return amounts_[operation.key].amount; }

 private:
  struct Current {
    Amount amount;
    std::int64_t value_bytes = 0;
  };
  static std::int64_t KeyBytes(const Operation& operation) {
    return static_cast<std::int64_t>(storage::FindPlace(operation.key)->key.size());
  }
  std::map<std::string, Current, std::less<>> amounts_;
};

class QuotaBackend final : public storage::ForwardingBackend {
 public:
  QuotaBackend(std::shared_ptr<storage::Backend> backend, std::shared_ptr<UsageAccounts> accounts)
      : ForwardingBackend(std::move(backend)), accounts_(std::move(accounts)) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    if (!accounts_->any_limited()) return backend().Execute(operations, results, deadline);
    if (!accounts_->counted()) return ExecuteUncounted(operations, results, deadline);
    std::vector<Reservation> reservations(operations.size());
    std::vector<std::size_t> tight;  // what did not fit whole
    for (std::size_t i = 0; i < operations.size(); ++i) {
      Reservation& reservation = reservations[i];
      reservation.account = LimitedAccount(operations[i]);
      if (reservation.account == nullptr) continue;
      reservation.amount = AmountOf(*storage::FindPlace(operations[i].key), operations[i]);
      if (!reservation.account->Reserve(reservation.amount)) tight.push_back(i);
    }
    if (tight.empty()) {
      backend().Execute(operations, results, deadline);
    } else {
      ExecuteTight(operations, results, deadline, tight, &reservations);
    }
    for (std::size_t i = 0; i < operations.size(); ++i) {
      // Whether it took effect nobody knows, so its room stays taken.
      const bool unknown = !results[i].status.ok() && results[i].status.error().code() == ErrorCode::kOutcomeUnknown;
      if (reservations[i].account != nullptr && !unknown) reservations[i].account->Release(reservations[i].amount);
    }
  }

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    if (!accounts_->any_limited()) return backend().Transact(transaction, deadline);
    std::map<NamespaceAccount*, Amount> whole;
    for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
      for (const Operation& operation : *branch) {
        if (NamespaceAccount* account = LimitedAccount(operation)) {
          if (!accounts_->counted()) return StillCounting(*account);
          whole[account] += AmountOf(*storage::FindPlace(operation.key), operation);
        }
      }
    }
    std::vector<Reservation> held;
    std::vector<std::unique_lock<std::mutex>> locks;
    for (const auto& [account, amount] : whole) {
      if (account->Reserve(amount)) {
        held.push_back({account, amount});
        continue;
      }
      locks.emplace_back(account->replacing());  // in the order of the map: two transactions cannot wait for each other
      auto growth = GrowthOf(transaction, *account, deadline);
      Status status;
      if (!growth.ok()) {
        status = std::move(growth).error();
      } else if (account->Reserve(*growth)) {
        held.push_back({account, *growth});
      } else {
        status = AboveQuota(*account);
      }
      if (status.ok()) continue;
      for (const Reservation& reservation : held) reservation.account->Release(reservation.amount);
      return std::move(status).error();
    }
    auto result = backend().Transact(transaction, deadline);
    if (result.ok() || result.error().code() != ErrorCode::kOutcomeUnknown) {
      for (const Reservation& reservation : held) reservation.account->Release(reservation.amount);
    }
    return result;
  }

 private:
  // The account that an operation may take room of; nullptr when it takes none or nothing limits it.
  NamespaceAccount* LimitedAccount(const Operation& operation) const {
    if (!MayGrow(operation.kind)) return nullptr;
    const auto place = storage::FindPlace(operation.key);
    if (!place || place->room == storage::Room::kSystem) return nullptr;
    NamespaceAccount* account = accounts_->Find(place->name_space);
    return account != nullptr && account->limited() ? account : nullptr;
  }

  // Whether there is room for what a limited namespace wants to add nobody knows yet.
  void ExecuteUncounted(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
    std::vector<std::optional<Error>> refused(operations.size());
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (const NamespaceAccount* account = LimitedAccount(operations[i])) refused[i] = StillCounting(*account);
    }
    ExecuteAdmitted(operations, results, deadline, &refused);
  }

  // Executes those that are not refused.
  void ExecuteAdmitted(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline,
                       std::vector<std::optional<Error>>* refused) {
    std::vector<Operation> admitted;
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if ((*refused)[i]) continue;
      admitted.push_back(operations[i]);
      positions.push_back(i);
    }
    std::vector<OperationResult> found(admitted.size());
    if (!admitted.empty()) backend().Execute(admitted, found, deadline);
    for (std::size_t i = 0; i < positions.size(); ++i) results[positions[i]] = std::move(found[i]);
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (!(*refused)[i]) continue;
      results[i] = OperationResult{};
      results[i].status = *std::move((*refused)[i]);
    }
  }

  // Decides the operations `tight` one by one by what they add, and executes all that are let through.
  void ExecuteTight(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline,
                    const std::vector<std::size_t>& tight, std::vector<Reservation>* reservations) {
    std::map<NamespaceAccount*, std::unique_lock<std::mutex>> locks;
    for (const std::size_t i : tight) locks[(*reservations)[i].account];
    for (auto& [account, lock] : locks) lock = std::unique_lock(account->replacing());
    CurrentAmounts current;
    for (const std::size_t i : tight) current.Want(operations[i]);
    const Status read = current.Read(backend(), deadline);
    std::vector<std::optional<Error>> refused(operations.size());
    for (const std::size_t i : tight) {
      Reservation& reservation = (*reservations)[i];
      const Amount before = current.Of(operations[i]);
      if (read.ok()) {
        reservation.amount = current.Apply(operations[i]);
        current.KeepLarger(operations[i], before);
        if (reservation.account->Reserve(reservation.amount)) continue;
        refused[i] = AboveQuota(*reservation.account);
      } else {
        refused[i] = read.error();
      }
      reservation.account = nullptr;
    }
    ExecuteAdmitted(operations, results, deadline, &refused);
  }

  // What the larger branch adds to the account.
  Result<Amount> GrowthOf(const storage::Transaction& transaction, const NamespaceAccount& account, Deadline deadline) {
    const auto mine = [&](const Operation& operation) {
      if (!MayGrow(operation.kind) && !Removes(operation.kind)) return false;
      const auto place = storage::FindPlace(operation.key);
      return place && place->room != storage::Room::kSystem && place->name_space == account.name_space();
    };
    CurrentAmounts stored;
    for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
      for (const Operation& operation : *branch) {
        if (mine(operation)) stored.Want(operation);
      }
    }
    HOLDFAST_RETURN_IF_ERROR(stored.Read(backend(), deadline));
    Amount largest;
    for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
      CurrentAmounts current = stored;
      Amount growth;
      for (const Operation& operation : *branch) {
        if (mine(operation)) growth += current.Apply(operation);
      }
      largest = {std::max(largest.bytes, growth.bytes), std::max(largest.keys, growth.keys)};
    }
    return largest;
  }

  const std::shared_ptr<UsageAccounts> accounts_;
};

}  // namespace

std::shared_ptr<storage::Backend> MakeQuotaBackend(std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<UsageAccounts> accounts) {
  return std::make_shared<QuotaBackend>(std::move(backend), std::move(accounts));
}

}  // namespace holdfast::tenancy
