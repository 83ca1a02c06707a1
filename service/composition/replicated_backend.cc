#include "service/composition/replicated_backend.h"

#include <algorithm>
#include <set>

#include "service/composition/failover_rows.h"
#include "service/storage/decision.h"
#include "service/storage/delete_by_pages.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;

namespace {

constexpr std::size_t kDeletePage = 1'000;

std::vector<std::shared_ptr<storage::Backend>> BackendsOf(const std::vector<NamedReplica>& replicas) {
  std::vector<std::shared_ptr<storage::Backend>> backends;
  for (const NamedReplica& replica : replicas) backends.push_back(replica.backend);
  return backends;
}

std::vector<std::string> KeysOf(std::span<const Operation> operations) {
  std::set<std::string> keys;
  for (const Operation& operation : operations) keys.insert(operation.key);
  return {keys.begin(), keys.end()};
}

std::map<std::string, EntryPtr, std::less<>> Paired(std::span<const std::string> keys, std::vector<EntryPtr> entries) {
  std::map<std::string, EntryPtr, std::less<>> paired;
  for (std::size_t i = 0; i < keys.size(); ++i) paired.emplace(keys[i], std::move(entries[i]));
  return paired;
}

}  // namespace

ReplicatedBackend::ReplicatedBackend(std::vector<NamedReplica> replicas, const ReplicaOptions& options,
                                     const storage::Limits& limits, const Clock& clock)
    : options_(options),
      limits_(limits),
      clock_(clock),
      replicas_(BackendsOf(replicas)),
      group_(std::move(replicas), options, clock),
      patrol_(
          group_, options, [this](const auto& keys, storage::Version until) { return MendFound(keys, until); }, clock) {
}

void ReplicatedBackend::Start() {
  group_.Start();
  patrol_.Start();
}

void ReplicatedBackend::Stop() {
  patrol_.Stop();
  group_.Stop();
}

storage::ReplicationStatus ReplicatedBackend::status() const {
  storage::ReplicationStatus status = group_.status();
  status.compare = patrol_.status();
  return status;
}

storage::Capabilities ReplicatedBackend::capabilities() const {
  storage::Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.durable_ack = true;
  capabilities.durability = replicas_.front()->capabilities().durability;
  for (const auto& replica : replicas_) {
    const storage::Capabilities own = replica->capabilities();
    capabilities.durable_ack = capabilities.durable_ack && own.durable_ack;
    if (!own.durable_ack) capabilities.durability = own.durability;
  }
  capabilities.fencing_survives_failover = !options_.eventual && capabilities.durable_ack;
  return capabilities;
}

void ReplicatedBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                                Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  if (!call.status().ok()) return storage::FailAll(results, call.status().error());
  if (const Status valid = storage::ValidateBatch(operations.size(), limits_); !valid.ok()) {
    return storage::FailAll(results, valid.error());
  }
  std::vector<Operation> admitted;
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    results[i] = OperationResult{};
    results[i].status = storage::Validate(operations[i], limits_);
    if (!results[i].status.ok()) continue;
    admitted.push_back(operations[i]);
    positions.push_back(i);
  }
  std::vector<OperationResult> answers(admitted.size());
  if (!admitted.empty()) ExecuteValid(admitted, answers, deadline);
  for (std::size_t i = 0; i < positions.size(); ++i) results[positions[i]] = std::move(answers[i]);
}

void ReplicatedBackend::ExecuteValid(std::span<const Operation> operations, std::span<OperationResult> results,
                                     const Deadline& deadline) {
  const bool writes = std::any_of(operations.begin(), operations.end(),
                                  [](const Operation& operation) { return storage::IsWrite(operation.kind); });
  if (writes) {
    Write(operations, results, deadline);
  } else {
    Get(operations, results, deadline);
  }
}

void ReplicatedBackend::Get(std::span<const Operation> gets, std::span<OperationResult> results,
                            const Deadline& deadline) {
  const std::vector<std::string> keys = KeysOf(gets);
  auto read = options_.eventual ? ReadEarlier(gets, deadline) : Read(keys, Held::kNo, deadline);
  if (!read.ok()) return storage::FailAll(results, read.error());
  const auto entries = Paired(keys, *std::move(read));
  for (std::size_t i = 0; i < gets.size(); ++i)
    storage::DecideGet(gets[i], entries.find(gets[i].key)->second, results[i]);
}

storage::KeyLocks::Held ReplicatedBackend::Lock(Keys keys) {
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  return locks_.Lock(views);
}

void ReplicatedBackend::Write(std::span<const Operation> operations, std::span<OperationResult> results,
                              const Deadline& deadline) {
  const std::vector<std::string> keys = KeysOf(operations);
  const auto held = Lock(keys);
  auto read = Read(keys, Held::kYes, deadline);
  if (!read.ok()) return storage::FailAll(results, read.error());
  auto entries = Paired(keys, *std::move(read));
  std::map<std::string, EntryPtr, std::less<>> changes;
  const Timestamp now = clock_.Now();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    EntryPtr& current = entries.find(operations[i].key)->second;
    if (current && storage::IsExpired(*current, now)) current = nullptr;
    const storage::Version version = storage::IsWrite(operations[i].kind) ? group_.NextVersion() : 0;
    const storage::Decision decision = storage::Decide(operations[i], current, version, now, results[i]);
    if (decision.change == storage::Change::kNone) continue;
    current = decision.entry;
    changes[operations[i].key] = decision.entry;
  }
  const Status committed = Commit(changes, deadline);
  if (committed.ok()) return;
  // What stands on a change of this call stands no firmer than the change.
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (!changes.contains(operations[i].key)) continue;
    results[i] = OperationResult{};
    results[i].status = committed;
  }
}

Status ReplicatedBackend::Commit(const std::map<std::string, EntryPtr, std::less<>>& changes,
                                 const Deadline& deadline) {
  if (changes.empty()) return {};
  std::vector<Operation> rows;
  rows.reserve(changes.size());
  for (const auto& [key, entry] : changes) rows.push_back(SecondaryCopy::WriteOf({key, entry}));
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t sequence, group_.Append(std::move(rows)));
  return group_.AwaitCommitted(sequence, deadline);
}

Result<storage::TransactionResult> ReplicatedBackend::Transact(const storage::Transaction& transaction,
                                                               Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(storage::Validate(transaction, limits_));
  std::set<std::string> named;
  for (const storage::Condition& condition : transaction.conditions) named.insert(condition.key);
  for (const Operation& operation : transaction.then) named.insert(operation.key);
  for (const Operation& operation : transaction.otherwise) named.insert(operation.key);
  const std::vector<std::string> keys(named.begin(), named.end());
  const auto held = Lock(keys);
  HOLDFAST_ASSIGN_OR_RETURN(Entries read, Read(keys, Held::kYes, deadline));
  const auto entries = Paired(keys, std::move(read));
  HOLDFAST_ASSIGN_OR_RETURN(
      storage::TransactionDecision decision,
      storage::DecideTransaction(
          transaction, [&](const std::string& key) { return Result<EntryPtr>(entries.find(key)->second); },
          [this] { return group_.NextVersion(); }, clock_.Now()));
  HOLDFAST_RETURN_IF_ERROR(Commit(decision.changes, deadline));
  return std::move(decision.result);
}

Result<std::uint64_t> ReplicatedBackend::DeleteRange(const storage::KeyRange& range, Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  storage::PageDeletion how;
  how.scan = [this](const storage::ScanRequest& request, Deadline until) { return Page(request, until); };
  how.execute = [this](std::span<const Operation> operations, std::span<OperationResult> results, Deadline until) {
    Write(operations, results, until);
  };
  how.page_deadline = [deadline] { return deadline; };
  return storage::DeleteByPages(range, std::min(kDeletePage, limits_.max_operations), how);
}

// A batch of nothing takes the way of every write.
Status ReplicatedBackend::CheckHealth(Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(group_.AwaitSettled(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t sequence, group_.Append({}));
  return group_.AwaitCommitted(sequence, deadline);
}

storage::Statistics ReplicatedBackend::statistics() const {
  if (gate_.shut()) return {};
  const storage::ReplicationStatus now = group_.status();
  const auto leader = std::find_if(now.replicas.begin(), now.replicas.end(),
                                   [](const storage::ReplicaStatus& replica) { return replica.leader; });
  if (leader == now.replicas.end()) return {};
  storage::Statistics statistics = replicas_[static_cast<std::size_t>(leader - now.replicas.begin())]->statistics();
  statistics.entries_estimated = true;  // the marker and conflicts are counted as well
  return statistics;
}

void ReplicatedBackend::SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) {
  group_.relay().SetListener(std::move(listener));
  for (std::size_t i = 0; i < replicas_.size(); ++i) replicas_[i]->SetChangeListener(group_.relay().ListenerOf(i));
}

Status ReplicatedBackend::Close() {
  if (!gate_.Shut()) return {};
  const auto closed = gate_.Await();
  Stop();
  Status first;
  for (const auto& replica : replicas_) {
    Status status = replica->Close();
    if (!status.ok() && first.ok()) first = std::move(status);
  }
  return first;
}

}  // namespace holdfast::composition
