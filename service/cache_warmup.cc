#include "service/cache_warmup.h"

#include <algorithm>

#include "base/log/log.h"
#include "service/storage/key_space.h"

namespace holdfast::service {
namespace {

constexpr std::chrono::seconds kStep{2};             // between two lines of the log, and looks whether to stop
constexpr std::chrono::milliseconds kPatience{500};  // before what is not possible yet is tried again

// What is left of the range behind this key.
storage::KeyRange Behind(storage::KeyRange range, const std::string& last) {
  if (!last.empty()) range.start = last + '\0';
  return range;
}

}  // namespace

CacheWarmup::CacheWarmup(const ServiceSettings& settings, const storage::StoreRegistry& stores) {
  const bool any = std::any_of(settings.stores.begin(), settings.stores.end(), [](const StoreSettings& store) {
    return store.cache && !store.cache->warm_prefixes.empty();
  });
  if (any) thread_ = std::thread([this, &settings, &stores] { Run(settings, stores); });
}

CacheWarmup::~CacheWarmup() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ends_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool CacheWarmup::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !ends_.wait_for(lock, time, [this] { return stopping_; });
}

void CacheWarmup::Run(const ServiceSettings& settings, const storage::StoreRegistry& stores) {
  for (const StoreSettings& wanted : settings.stores) {
    const storage::Store* const store = stores.Find(wanted.name);
    if (wanted.cache && !wanted.cache->warm_prefixes.empty() && store->warmer) Warm(*store, *wanted.cache);
  }
}

void CacheWarmup::Warm(const storage::Store& store, const CacheSettings& wanted) {
  const Deadline deadline = Deadline::After(wanted.warm_time);
  const storage::KeySpace space(store.name, wanted.warm_namespace);
  storage::WarmLimits left = wanted.warm_limits;
  const auto read = [&] { return wanted.warm_limits.entries - left.entries; };
  for (const std::string& prefix : wanted.warm_prefixes) {
    storage::KeyRange range = space.In(storage::Room::kKeys).Wrap(storage::KeyRange::Prefix(prefix));
    for (bool complete = false; !complete;) {
      if (left.entries == 0 || left.bytes == 0 || deadline.Expired()) {
        return log::Warn("a cache was warmed in part: a limit was reached",
                         {{"store", store.name}, {"prefix", prefix}, {"entries", read()}});
      }
      const auto step = store.warmer->Warm(range, left, deadline.Sooner(Deadline::After(kStep)));
      if (!step.ok()) {
        log::Info("a cache cannot be warmed now", {{"store", store.name}, {"reason", step.error().ToString()}});
        if (!Pause(kPatience)) return;
        continue;
      }
      left.entries -= std::min(left.entries, step->entries);
      left.bytes -= std::min(left.bytes, step->bytes);
      range = Behind(std::move(range), step->last);
      complete = step->complete;
      if (!complete) log::Info("warming a cache", {{"store", store.name}, {"prefix", prefix}, {"entries", read()}});
      if (!Pause({})) return;
    }
  }
  log::Info("a cache is warm", {{"store", store.name}, {"entries", read()}});
}

}  // namespace holdfast::service
