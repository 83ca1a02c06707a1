#include "service/documents/maintainer.h"

#include "base/log/log.h"
#include "service/documents/collections.h"
#include "service/documents/maintenance.h"
#include "service/documents/rows.h"

namespace holdfast::documents {
namespace {

constexpr std::chrono::seconds kStepTimeout{30};
constexpr std::chrono::milliseconds kPauseAfterFailure{1'000};

Deadline ForOneStep() {
  return Deadline::After(kStepTimeout);
}

}  // namespace

Maintainer::Maintainer(std::shared_ptr<storage::Backend> backend, std::string store,
                       std::shared_ptr<storage::TenantViews> tenants)
    : backend_(std::move(backend)), store_(std::move(store)), tenants_(std::move(tenants)) {}

void Maintainer::Start() {
  std::lock_guard lock(mutex_);
  if (!stopping_ && !thread_.joinable()) thread_ = std::thread([this] { Loop(); });
}

void Maintainer::Add(std::string_view name_space, std::string_view collection) {
  Job job{std::string(name_space), std::string(collection)};
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

bool Maintainer::Pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, duration, [this] { return stopping_; });
}

void Maintainer::Loop() {
  for (Status found = FindUnfinished(); !found.ok(); found = FindUnfinished()) {
    log::Warn("looking for unfinished indexes failed", {{"store", store_}, {"error", found.error().ToString()}});
    if (!Pause(kPauseAfterFailure)) return;
  }
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      // Before the step: what is added while it runs may be news that it has not seen.
      known_.erase(job);
    }
    const auto more = Step(job);
    if (!more.ok()) {
      log::Warn("maintaining a collection failed; it is tried again", {{"store", store_},
                                                                       {"namespace", job.name_space},
                                                                       {"collection", job.collection},
                                                                       {"error", more.error().ToString()}});
      if (!Pause(kPauseAfterFailure)) return;
    }
    if (!more.ok() || *more) Add(job.name_space, job.collection);
  }
}

Result<bool> Maintainer::Step(const Job& job) {
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
  for (;;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, backend_->Scan(request, ForOneStep()));
    if (page.entries.empty()) return {};
    const auto place = storage::FindPlace(page.entries.front().key);
    if (!place) return Error(ErrorCode::kCorruption, "a key stands outside every key space");
    const std::string name_space(place->name_space);
    if (name_space != storage::kSystemNamespace) HOLDFAST_RETURN_IF_ERROR(FindUnfinishedOf(name_space));
    request.range.start = prefix + name_space + '\x01';
  }
}

Status Maintainer::FindUnfinishedOf(const std::string& name_space) {
  const auto tenant = tenants_->Find(name_space);
  Add(name_space, "");
  const Collections collections(tenant->rooms, CollectionLimits{});
  std::optional<std::string> after;
  for (;;) {
    HOLDFAST_ASSIGN_OR_RETURN(const CollectionPage page, collections.List(after, kStepRows, ForOneStep()));
    for (const Collection& collection : page.collections) {
      if (collection.definition.Unfinished()) Add(name_space, collection.name);
    }
    if (page.complete || page.collections.empty()) return {};
    after = page.collections.back().name;
  }
}

}  // namespace holdfast::documents
