#include "service/composition/tiered_backend.h"

#include <algorithm>
#include <map>
#include <vector>

#include "service/storage/listener_fanout.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;

namespace {

bool IsUnknown(const Status& status) {
  return !status.ok() && status.error().code() == ErrorCode::kOutcomeUnknown;
}

CopyOptions CopyOptionsOf(const TieredOptions& options, const Stamps& stamps) {
  CopyOptions copies = options.copies;
  if (options.cache_shared) copies.key_prefix = std::to_string(stamps.origin()) + ":";
  return copies;
}

}  // namespace

// One call that writes, on the stack of its thread: the keys it writes, and what it is told that it changed.
class TieredBackend::Write {
 public:
  Write(Stamps& stamps, std::span<const std::string_view> keys)
      : stamps_(stamps), writing_(std::make_unique<Stamps::Writing>(stamps, keys)), outer_(current_) {
    current_ = this;
  }
  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;
  ~Write() { Leave(); }

  // The one that this thread is at, if the key is one of its own.
  static Write* Of(const Stamps& stamps, std::string_view key) {
    const bool own = current_ != nullptr && &current_->stamps_ == &stamps && current_->writing_->Covers(key);
    return own ? current_ : nullptr;
  }
  // In the order in which the key was changed.
  void Heard(std::string_view key, const EntryPtr& after) { heard_.insert_or_assign(std::string(key), after); }

  // What may be kept of it.
  std::vector<Copies::New> End() {
    Leave();
    writing_->End();
    std::vector<Copies::New> copies;
    for (const auto& [key, entry] : heard_) {
      if (const auto stamp = writing_->Left(key)) copies.push_back({key, *stamp, entry});
    }
    return copies;
  }
  // Ends it for this thread only.
  std::unique_ptr<Stamps::Writing> GiveUp() {
    Leave();
    return std::move(writing_);
  }

 private:
  void Leave() {
    if (current_ == this) current_ = outer_;
  }

  static thread_local Write* current_;
  Stamps& stamps_;
  std::unique_ptr<Stamps::Writing> writing_;
  Write* const outer_;
  std::map<std::string, EntryPtr, std::less<>> heard_;
};

thread_local TieredBackend::Write* TieredBackend::Write::current_ = nullptr;

class TieredBackend::Invalidator final : public storage::ChangeListener {
 public:
  explicit Invalidator(std::shared_ptr<Stamps> stamps) : stamps_(std::move(stamps)) {}

  void OnChange(std::string_view key, const EntryPtr& /*before*/, const EntryPtr& after,
                storage::ChangeCause /*cause*/) noexcept override {
    if (Write* const write = Write::Of(*stamps_, key)) {
      write->Heard(key, after);  // which gives the key a new epoch by itself
    } else {
      stamps_->Changed(key);
    }
  }
  void OnMissed() noexcept override { stamps_->ForgetAll(); }

 private:
  const std::shared_ptr<Stamps> stamps_;
};

TieredBackend::TieredBackend(std::shared_ptr<storage::Backend> cache, std::shared_ptr<storage::Backend> record,
                             const TieredOptions& options, const Clock& clock)
    : ForwardingBackend(std::move(record)),
      stamps_(std::make_shared<Stamps>(options.stripes)),
      copies_(std::move(cache), CopyOptionsOf(options, *stamps_), clock),
      listener_(std::make_shared<Invalidator>(stamps_)),
      reader_(
          backend(), copies_, [this](const auto& copies, Deadline deadline) { Keep(copies, deadline); }, *stamps_,
          clock),
      quarantine_(*stamps_, options.unknown_time, clock) {
  if (!copies_.cache().capabilities().inline_writes) promotion_.emplace(copies_);
  if (options.shared) freshness_.emplace(backend(), options.max_staleness, clock);
}

bool TieredBackend::MayCopy(std::span<const Operation> gets) const {
  if (!freshness_) return true;
  return freshness_->Holds() && std::all_of(gets.begin(), gets.end(), [](const Operation& get) {
           return get.consistency == storage::Consistency::kEventual;
         });
}

void TieredBackend::Finish(Write& write, bool unknown, const Deadline& deadline) {
  quarantine_.Release();
  // Where this process alone writes, what such a write did can be read as soon as it has returned.
  if (unknown && freshness_) return quarantine_.Hold(write.GiveUp());
  const std::vector<Copies::New> copies = write.End();
  if (!unknown && !copies.empty()) Keep(copies, deadline);
}

void TieredBackend::Keep(const std::vector<Copies::New>& copies, const Deadline& deadline) {
  if (promotion_) return promotion_->Offer(copies);
  copies_.Keep(copies, deadline);
}

storage::Capabilities TieredBackend::capabilities() const {
  storage::Capabilities capabilities = backend().capabilities();
  const storage::Capabilities cache = copies_.cache().capabilities();
  capabilities.inline_reads = capabilities.inline_reads && cache.inline_reads && cache.inline_writes;
  capabilities.inline_writes = capabilities.inline_writes && cache.inline_writes;
  return capabilities;
}

void TieredBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                            Deadline deadline) {
  std::vector<std::string_view> written;
  for (const Operation& operation : operations) {
    if (storage::IsWrite(operation.kind)) written.push_back(operation.key);
  }
  if (!written.empty()) {
    Write write(*stamps_, written);
    backend().Execute(operations, results, deadline);
    Finish(write,
           std::any_of(results.begin(), results.end(), [](const auto& result) { return IsUnknown(result.status); }),
           deadline);
    return;
  }
  // What the system of record would refuse, it is to refuse itself.
  const bool refused = closed_.load(std::memory_order_acquire) || deadline.Expired() ||
                       operations.size() > limits().max_operations || operations.empty() || !MayCopy(operations);
  if (refused) return backend().Execute(operations, results, deadline);
  reader_.Read(operations, results, deadline);
}

Result<storage::TransactionResult> TieredBackend::Transact(const storage::Transaction& transaction, Deadline deadline) {
  std::vector<std::string_view> written;
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) {
      if (storage::IsWrite(operation.kind)) written.push_back(operation.key);
    }
  }
  Write write(*stamps_, written);
  auto result = backend().Transact(transaction, deadline);
  Finish(write, !result.ok() && IsUnknown(result.error()), deadline);
  return result;
}

Result<std::uint64_t> TieredBackend::DeleteRange(const storage::KeyRange& range, Deadline deadline) {
  const Stamps::Clearing clearing(*stamps_);
  auto deleted = backend().DeleteRange(range, deadline);
  // Nobody hears of what a call with an open fate did.
  if (!deleted.ok()) stamps_->ForgetAll();
  return deleted;
}

storage::Statistics TieredBackend::statistics() const {
  storage::Statistics statistics = backend().statistics();
  const TieredStatistics counted = reader_.statistics();
  statistics.cache_hits = counted.hits;
  statistics.cache_misses = counted.misses;
  return statistics;
}

void TieredBackend::SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) {
  std::vector<std::shared_ptr<storage::ChangeListener>> listeners{listener_};
  if (listener) listeners.push_back(std::move(listener));
  backend().SetChangeListener(std::make_shared<storage::ListenerFanout>(std::move(listeners)));
}

Status TieredBackend::Close() {
  {
    const std::lock_guard lock(warming_mutex_);
    closed_.store(true, std::memory_order_release);
  }
  warming_ends_.notify_all();
  if (freshness_) freshness_->Stop();
  if (promotion_) promotion_->Stop();
  Status record = backend().Close();
  Status cache = copies_.cache().Close();
  return record.ok() ? std::move(cache) : std::move(record);
}

}  // namespace holdfast::composition
