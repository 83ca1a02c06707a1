#include "service/documents/maintainer.h"

#include "base/log/log.h"
#include "base/time/backoff.h"
#include "service/documents/collections.h"
#include "service/documents/maintenance.h"
#include "service/documents/rows.h"

namespace holdfast::documents {
namespace {

constexpr std::chrono::seconds kStepTimeout{30};
constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::seconds kLastRetry{60};

Deadline ForOneStep() {
  return Deadline::After(kStepTimeout);
}

}  // namespace

Maintainer::Maintainer(std::shared_ptr<storage::Backend> backend, std::string store,
                       std::shared_ptr<storage::TenantViews> tenants)
    : backend_(std::move(backend)), store_(std::move(store)), tenants_(std::move(tenants)) {}

void Maintainer::Start() {
  Add(Job{"", "", true});
  std::lock_guard lock(mutex_);
  if (!stopping_ && !thread_.joinable()) thread_ = std::thread([this] { Loop(); });
}

void Maintainer::Add(std::string_view name_space, std::string_view collection) {
  Add(Job{std::string(name_space), std::string(collection), false});
}

void Maintainer::Add(Job job) {
  std::lock_guard lock(mutex_);
  if (stopping_ || known_.size() >= kMaxWaiting || !known_.insert(job).second) return;
  waiting_.push_back(std::move(job));
  wake_.notify_all();
}

void Maintainer::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool Maintainer::stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

std::optional<Maintainer::Job> Maintainer::Next() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const Time now = std::chrono::steady_clock::now();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      waiting_.push_back(std::move(delayed_.extract(delayed_.begin()).mapped()));
    }
    if (!waiting_.empty()) {
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      // Before the step: what is added while it runs may be news that it has not seen.
      known_.erase(job);
      return job;
    }
    if (delayed_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, delayed_.begin()->first);
    }
  }
  return std::nullopt;
}

void Maintainer::TryLater(Job job) {
  std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxWaiting) {
    failures_.erase(job);
    return;
  }
  if (!known_.insert(job).second) return;
  const auto delay = ExponentialDelay(kFirstRetry, kLastRetry, failures_[job]++);
  delayed_.emplace(std::chrono::steady_clock::now() + delay, std::move(job));
}

void Maintainer::Loop() {
  while (auto job = Next()) {
    const auto more = Step(*job);
    if (!more.ok()) {
      log::Warn("maintaining collections failed; it is tried again", {{"store", store_},
                                                                      {"namespace", job->name_space},
                                                                      {"collection", job->collection},
                                                                      {"error", more.error().ToString()}});
      TryLater(std::move(*job));
      continue;
    }
    {
      std::lock_guard lock(mutex_);
      failures_.erase(*job);
    }
    if (*more) Add(std::move(*job));
  }
}

Result<bool> Maintainer::Step(const Job& job) {
  if (job.look_through) {
    HOLDFAST_RETURN_IF_ERROR(FindUnfinished().WithContext("looking for unfinished indexes"));
    return false;
  }
  storage::Backend& rooms = *tenants_->Find(job.name_space)->rooms;
  return job.collection.empty() ? RemoveDeleted(rooms, ForOneStep())
                                : MaintainCollection(rooms, job.collection, ForOneStep());
}

Status Maintainer::FindUnfinished() {
  // One look per namespace: behind each the walk jumps to the next.
  const std::string prefix = store_ + '\0';
  storage::ScanRequest request;
  request.range = storage::KeyRange::Prefix(prefix);
  request.keys_only = true;
  request.limit = 1;
  Status first;
  while (!stopping()) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, backend_->Scan(request, ForOneStep()));
    if (page.entries.empty()) return first;
    const std::string& key = page.entries.front().key;
    const auto place = storage::FindPlace(key);
    if (!place) {  // nobody's, whoever has put it there
      request.range.start = key + '\0';
      continue;
    }
    const std::string name_space(place->name_space);
    if (name_space != storage::kSystemNamespace) {
      Status found = FindUnfinishedOf(name_space);
      if (first.ok() && !found.ok()) first = std::move(found).WithContext(name_space);
    }
    request.range.start = prefix + name_space + '\x01';
  }
  return {};
}

Status Maintainer::FindUnfinishedOf(const std::string& name_space) {
  storage::Backend& rooms = *tenants_->Find(name_space)->rooms;
  storage::ScanRequest request;
  request.range = AllRemovals();
  request.keys_only = true;
  request.limit = 1;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage removals, rooms.Scan(request, ForOneStep()));
  if (!removals.entries.empty()) Add(name_space, "");

  request = {};
  request.range = AllDefinitions();
  for (;;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, rooms.Scan(request, ForOneStep()));
    for (const storage::KeyedEntry& row : page.entries) {
      const auto definition = DecodeDefinition(row.entry->value);
      // One that cannot be read fails by itself, and its error says so.
      if (!definition.ok() || definition->Unfinished()) Add(name_space, CollectionOf(row.key));
    }
    if (page.complete || page.entries.empty()) return {};
    request.after = page.entries.back().key;
  }
}

}  // namespace holdfast::documents
