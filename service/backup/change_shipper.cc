#include "service/backup/change_shipper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "service/durability/content.h"

namespace holdfast::backup {
namespace {

// An idle store says so this often: until then a restore to a time behind the last change needs the service to ship.
constexpr std::chrono::minutes kIdleSegments{5};
constexpr std::string_view kBeginning = "the log begins here";

}  // namespace

ChangeShipper::ChangeShipper(const ChangeLog& log, storage::ChangeHistory& history, std::string store, std::string kind,
                             const ChangeArchiveOptions& options, int level, const Clock& clock,
                             metrics::Registry& registry)
    : log_(log),
      history_(history),
      store_(std::move(store)),
      kind_(std::move(kind)),
      prefix_(store_ + '\0'),
      options_(options),
      level_(level),
      clock_(clock),
      metrics_(store_, options_, clock.Now(), registry) {}

Result<Shipped> ChangeShipper::Ship(bool cover, Deadline deadline) {
  std::lock_guard lock(mutex_);
  Status shipped = ShipAll(cover, deadline);
  metrics_.CountRun(shipped.ok());
  HOLDFAST_RETURN_IF_ERROR(std::move(shipped).WithContext(fmt::format("shipping the changes of store {}", store_)));
  if (tail_.header.position != released_) history_.Release(tail_.header.position, deadline);
  released_ = tail_.header.position;
  return Shipped{tail_.header.number, tail_.header.since, tail_.header.until};
}

Result<Shipped> ChangeShipper::Look(Deadline deadline) {
  std::lock_guard lock(mutex_);
  loaded_ = false;
  HOLDFAST_RETURN_IF_ERROR(LoadTail(deadline));
  metrics_.SetCovered(tail_.header.until);
  return Shipped{tail_.header.number, tail_.header.since, tail_.header.until};
}

Status ChangeShipper::ShipAll(bool cover, Deadline deadline) {
  if (history_.shared()) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool once, log_.CreatesOnce(deadline));
    if (!once) {
      return Error(ErrorCode::kNotSupported,
                   fmt::format("several instances can serve the store, and {} has no conditional writes, so that two "
                               "of them could break its change log: use a server that has them, or backups.directory",
                               log_.Describe()));
    }
    // Others may have gone on since.
    if (!unsent_) loaded_ = false;
  }
  // Ends with the history, which is read up to the moment of each step; a deadline ends it where writes are faster.
  for (bool all = false; !all;) {
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before all was shipped");
    Result<bool> step = false;
    if (unsent_) {
      Status sent = Send(deadline);
      if (!sent.ok()) step = std::move(sent).error();
      // Others may have gone on far behind it meanwhile.
      loaded_ = false;
    } else {
      HOLDFAST_RETURN_IF_ERROR(LoadTail(deadline));
      step = Step(cover, deadline);
    }
    // By another instance, or by an attempt of before: what the target says next counts.
    const bool overtaken = !step.ok() && step.error().code() == ErrorCode::kAlreadyExists;
    if (!step.ok()) loaded_ = false;
    if (!step.ok() && !overtaken) return std::move(step).error();
    all = !overtaken && *step;
  }
  return {};
}

Status ChangeShipper::LoadTail(Deadline deadline) {
  if (loaded_) return {};
  HOLDFAST_ASSIGN_OR_RETURN(auto newest, log_.ReadNewest(deadline));
  tail_ = newest ? *std::move(newest) : ChangeLog::Newest{};
  if (tail_.damage.empty() && tail_.header.number > 0 && tail_.header.store != store_) {
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("the change log there is that of store {}: give this one a place of its own", tail_.header.store));
  }
  position_ = tail_.header.position;
  passed_ = 0;
  loaded_ = true;
  return {};
}

bool ChangeShipper::IsDue(const storage::ChangePage& page, bool cover) const {
  if (!page.changes.empty() || tail_.header.number == 0 || !tail_.damage.empty() || !page.gap.empty()) return true;
  // What was passed over would have to be read again by the next process, if it is there then.
  if (passed_ + page.passed >= options_.segment_bytes) return true;
  return cover || page.until - tail_.header.until >= kIdleSegments;
}

Result<bool> ChangeShipper::Step(bool cover, Deadline deadline) {
  const bool begins = tail_.header.number == 0 || !tail_.damage.empty();
  HOLDFAST_ASSIGN_OR_RETURN(storage::ChangePage page, history_.Read(begins ? std::string() : position_, prefix_,
                                                                    options_.segment_bytes, deadline));
  std::erase_if(page.changes, [this](const storage::KeyChange& change) {
    return durability::PartOf(std::string_view(change.key).substr(prefix_.size())) == durability::Part::kNone;
  });
  const bool moved = page.position != position_;
  if (IsDue(page, cover)) {
    std::string gap = page.gap;
    if (gap.empty() && begins) gap = tail_.damage.empty() ? std::string(kBeginning) : tail_.damage;
    HOLDFAST_RETURN_IF_ERROR(Append(page, gap, deadline));
    passed_ = 0;
  } else {
    passed_ += page.passed;
  }
  position_ = page.position;
  if (page.complete) metrics_.SetCovered(page.until);
  if (!page.complete && !moved) {
    return Error(ErrorCode::kUnavailable, "the history cannot be read on at the moment; it is tried again");
  }
  return page.complete;
}

Status ChangeShipper::Append(const storage::ChangePage& page, const std::string& gap, Deadline deadline) {
  SegmentHeader header;
  header.number = tail_.header.number + 1;
  header.previous = tail_.digest;
  header.since = gap.empty() ? tail_.header.since : header.number;
  header.gap = gap;
  header.store = store_;
  header.backend = kind_;
  header.position = page.position;
  // Times only ever go on, whatever the clock does: what lies in an earlier segment was acknowledged earlier.
  const Timestamp floor = tail_.header.until;
  header.until = std::max(page.until, floor);
  header.from = gap.empty() ? floor : header.until;
  std::vector<storage::KeyChange> changes = page.changes;
  for (storage::KeyChange& change : changes) {
    change.key.erase(0, prefix_.size());
    change.at = std::max(change.at, floor + std::chrono::microseconds{1});
    header.until = std::max(header.until, change.at);
  }
  header.changes = changes.size();
  unsent_ = log_.Encode(std::move(header), changes, level_);
  return Send(deadline);
}

Status ChangeShipper::Send(Deadline deadline) {
  Status sent = log_.Append(*unsent_, deadline);
  const bool answered = sent.ok() || sent.error().code() == ErrorCode::kAlreadyExists;
  if (!answered) return sent;
  ChangeLog::Encoded segment = *std::exchange(unsent_, std::nullopt);
  if (!sent.ok()) return sent;
  if (const std::string& gap = segment.header.gap; !gap.empty()) {
    const bool first = gap == kBeginning;
    log::Write(first ? log::Level::kInfo : log::Level::kWarn,
               first ? "the change log of a store begins: a full backup from now on can be restored to any later time"
                     : "changes are missing in the change log: restores to a time need a backup made from now on",
               {{"store", store_}, {"reason", gap}});
    if (!first) metrics_.CountGap();
  }
  metrics_.CountSegment(segment.header.changes);
  tail_ = {std::move(segment.header), segment.digest, ""};
  return {};
}

}  // namespace holdfast::backup
