#include "service/backup/change_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

// The last attempt, which holds up the end of the service.
constexpr std::chrono::seconds kLastShipping{10};
// One attempt has as long as this, whatever the interval.
constexpr std::chrono::minutes kShipping{5};

bool CanBeBrought(const StoredBackup& stored) {
  return !stored.damage && stored.manifest.changes.has_value();
}

}  // namespace

ChangeArchive::ChangeArchive(ChangePlace place, const std::string& store, const std::string& kind,
                             const BackupOptions& options, const Clock& clock, metrics::Registry& registry)
    : store_(store),
      history_(std::move(place.history)),
      options_(options.changes),
      clock_(clock),
      log_(std::move(place.target), store, options.key, options.key_setting) {
  if (!history_) return;
  shipper_ = std::make_unique<ChangeShipper>(log_, *history_, store, kind, options.changes, options.create.writer.level,
                                             clock, registry);
  restorable_ = &RestorableGauge(store, registry);
}

void ChangeArchive::Start() {
  if (!shipper_) return;
  ships_ = std::make_unique<storage::PeriodicTask>(options_.interval, [this] { ShipDue(); });
}

void ChangeArchive::Stop() {
  if (!ships_) return;
  ships_->Stop();
  ships_.reset();
  const auto shipped = shipper_->Ship(true, Deadline::After(kLastShipping));
  if (shipped.ok()) return;
  log::Warn("the last changes are not shipped", {{"store", store_}, {"error", shipped.error().ToString()}});
}

Result<Shipped> ChangeArchive::ShipIfOurs(Deadline deadline) {
  if (!history_->shared()) return shipper_->Ship(false, deadline);
  const std::string keys = store_ + '\0';
  HOLDFAST_ASSIGN_OR_RETURN(const bool ours, history_->Claim(keys, deadline));
  if (!ours) return shipper_->Look(deadline);
  auto shipped = shipper_->Ship(false, deadline);
  // Another instance may reach what this one cannot.
  if (!shipped.ok()) history_->Yield(keys, deadline);
  return shipped;
}

void ChangeArchive::ShipDue() {
  const auto shipped = ShipIfOurs(Deadline::After(std::max<std::chrono::microseconds>(kShipping, options_.interval)));
  if (!shipped.ok() && !failing_) {
    log::Warn("changes cannot be shipped, it is tried again",
              {{"store", store_}, {"error", shipped.error().ToString()}});
  }
  failing_ = !shipped.ok();
}

void ChangeArchive::ShipNow(Deadline deadline) {
  if (!shipper_) return;
  const auto shipped = shipper_->Ship(true, deadline);
  // What was shipped before may do.
  if (!shipped.ok()) {
    log::Warn("changes cannot be shipped before a restore", {{"store", store_}, {"error", shipped.error().ToString()}});
  }
}

std::optional<ChangeMark> ChangeArchive::Mark(Deadline deadline) {
  if (!shipper_) return std::nullopt;
  const auto shipped = shipper_->Ship(false, deadline);
  if (shipped.ok()) return ChangeMark{shipped->number + 1, clock_};
  log::Warn("a backup cannot be brought to a time: the changes of its store cannot be shipped",
            {{"store", store_}, {"error", shipped.error().ToString()}});
  return std::nullopt;
}

Result<std::string> ChangeArchive::BaseFor(Timestamp to, const std::string& id,
                                           const std::vector<StoredBackup>& all) const {
  if (to > clock_.Now()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("to_time {} lies in the future; the clock of the service says {}", FormatTimestamp(to),
                             FormatTimestamp(clock_.Now())));
  }
  if (std::none_of(all.begin(), all.end(), CanBeBrought)) {
    return Error(
        ErrorCode::kNotSupported,
        fmt::format("no backup of the store was made with a change log: set stores.{}.change_archive, and make "
                    "one",
                    store_));
  }
  std::optional<Timestamp> earliest;
  for (auto each = all.rbegin(); each != all.rend(); ++each) {
    if (!CanBeBrought(*each) || (!id.empty() && each->id != id)) continue;
    const Timestamp from = each->manifest.changes->read_until;
    if (from <= to) return each->id;
    earliest = std::min(earliest.value_or(from), from);
  }
  if (!earliest) {
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("backup {} cannot be brought to a time: it is damaged, or was made without a change log", id));
  }
  return Error(
      ErrorCode::kFailedPrecondition,
      fmt::format("{} was finished at {}, behind to_time {}: name a later time",
                  id.empty() ? "the first backup" : "backup " + id, FormatTimestamp(*earliest), FormatTimestamp(to)));
}

Result<std::optional<storage::RestoreWindow>> ChangeArchive::Window(const std::vector<StoredBackup>& all,
                                                                    Deadline deadline) const {
  std::optional<storage::RestoreWindow> window;
  if (std::none_of(all.begin(), all.end(), CanBeBrought)) return window;
  HOLDFAST_ASSIGN_OR_RETURN(const auto newest, log_.ReadNewest(deadline));
  if (!newest || !newest->damage.empty()) return window;
  HOLDFAST_ASSIGN_OR_RETURN(const auto listed, log_.List(deadline));
  // From here on there is every number.
  std::uint64_t whole_from = newest->header.number;
  for (auto each = listed.rbegin(); each != listed.rend(); ++each) {
    if (each->number + 1 == whole_from) whole_from = each->number;
  }
  for (const StoredBackup& stored : all) {
    if (!CanBeBrought(stored)) continue;
    const ChangeStart& start = *stored.manifest.changes;
    const bool whole = start.first > newest->header.since && start.first >= whole_from;
    if (!whole || start.read_until > newest->header.until) continue;
    if (!window || start.read_until < window->earliest) window = {start.read_until, newest->header.until};
  }
  return window;
}

Status ChangeArchive::Prune(const std::vector<StoredBackup>& all, std::chrono::microseconds fresh, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto newest, log_.ReadNewest(deadline));
  if (!newest) return {};
  std::uint64_t needed = newest->header.number;
  for (const StoredBackup& stored : all) {
    if (CanBeBrought(stored)) needed = std::min(needed, stored.manifest.changes->first);
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t removed, log_.RemoveBelow(needed, clock_.Now() - fresh, deadline));
  if (removed > 0) {
    log::Info("segments of the change log that no backup needs are removed",
              {{"store", store_}, {"segments", removed}});
  }
  return {};
}

void ChangeArchive::Observe(const std::vector<StoredBackup>& all, Deadline deadline) {
  if (restorable_ == nullptr) return;
  const auto newest = log_.ReadNewest(deadline);
  if (!newest.ok()) return;
  const bool restorable = *newest && std::any_of(all.begin(), all.end(), [&](const StoredBackup& stored) {
    return CanBeBrought(stored) && (*newest)->damage.empty() &&
           stored.manifest.changes->first > (*newest)->header.since;
  });
  restorable_->Set(restorable ? 1 : 0);
}

}  // namespace holdfast::backup
