#include "service/coordination/quorum_locks.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time/backoff.h"
#include "base/time/duration.h"
#include "service/coordination/quorum_round.h"
#include "service/execution/task_pool.h"

namespace holdfast::coordination {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;
using storage::TenantView;

// Some two seconds, with the random delays in between.
constexpr int kMaxAttempts = 12;
// Of each master; a silent one keeps some busy until their time is over.
constexpr int kThreadsPerMaster = 2;
constexpr std::size_t kQueuedPerMaster = 1'024;
// How long a server has to be seen without its row before it counts as one that lost its data: somebody may just be
// founding.
constexpr std::chrono::seconds kFoundingTakes{2};
// Random delays grow to so many times the first.
constexpr int kLongestRetry = 8;

Error Unavailable(std::string message) {
  return {ErrorCode::kUnavailable, std::move(message)};
}

class QuorumLocks final : public Locks {
 public:
  QuorumLocks(std::string_view store, const NamedMasters& masters, const QuorumOptions& options, const Clock& clock)
      : options_(options),
        quorum_(options.quorum != 0 ? options.quorum : masters.size() / 2 + 1),
        clock_(clock),
        missing_since_(masters.size()) {
    for (const auto& [name, backend] : masters) {
      masters_.emplace_back(name, backend, store, masters.size());
      lanes_.push_back(std::make_unique<execution::TaskPool>(kThreadsPerMaster, kQueuedPerMaster));
    }
  }

  Tried TryAcquire(const TenantView& tenant, std::string_view name, std::string_view owner, const Lease& lease,
                   microseconds ttl, Deadline deadline) override;
  Result<std::optional<Grant>> Extend(const TenantView& tenant, std::string_view name, std::string_view lease,
                                      microseconds ttl, Deadline deadline) override;
  Result<bool> Release(const TenantView& tenant, std::string_view name, std::string_view lease,
                       Deadline deadline) override;
  Result<std::optional<Holder>> FindHolder(const TenantView& tenant, std::string_view name, Deadline deadline) override;
  microseconds max_ttl() const override { return options_.max_ttl; }

 private:
  // Calls `step` for each of the masters at once; whoever has not answered in time is kOutcomeUnknown.
  template <typename Value, typename Step>
  std::vector<Result<Value>> AskEach(const std::vector<std::size_t>& which, const Step& step, Deadline deadline);

  // What all masters tell; kUnavailable when those that answered are no majority.
  Result<Round> Look(const QuorumKeys& keys, Deadline deadline);
  // Whoever is no member joins, if that may be; then the round is to be asked again.
  Result<bool> Admit(const Round& round, Deadline deadline);
  // Whether somebody has been seen without its row for kFoundingTakes.
  bool MissingLongEnough(std::size_t master, bool missing);
  // True: the row stands on a majority now.
  bool GrantOnMajority(const QuorumKeys& keys, const Round& round, const LockRow& row, microseconds ttl,
                       Deadline deadline);
  // Where the lease's rows stood, they are gone afterwards from whoever answers.
  // Whatever the caller's deadline. False: enough for a majority may still stand.
  bool TakeBack(const QuorumKeys& keys, std::string_view lease);
  // `standing`: an attempt's rows may stand on a majority, though the answer is an error.
  Tried Attempts(const TenantView& tenant, std::string_view name, std::string_view owner, const Lease& lease,
                 microseconds ttl, Deadline deadline, bool* standing);
  std::size_t ReleaseOn(const QuorumKeys& keys, const Round& round, const std::vector<std::size_t>& which,
                        Deadline deadline);

  // What is left of a TTL that began at `begin`.
  microseconds Validity(microseconds ttl, steady_clock::time_point begin) const {
    const auto elapsed = std::chrono::ceil<microseconds>(steady_clock::now() - begin);
    return ttl - elapsed - Margin(ttl);
  }
  microseconds Margin(microseconds ttl) const { return ttl * options_.drift_percent / 100 + options_.drift; }
  // When the lease can first be without a majority.
  Timestamp ExpiryOf(Claim claim) const {
    std::sort(claim.expiries.begin(), claim.expiries.end(), std::greater<>());
    return claim.expiries[quorum_ - 1];
  }
  // It has a majority, or would have with those that did not answer.
  bool MayHold(const Claim& claim, const Round& round) const {
    return !claim.masters.empty() && claim.masters.size() + (masters_.size() - round.answered) >= quorum_;
  }
  Holder AsHolder(const Claim& claim) const {
    const std::size_t last = std::min(quorum_, claim.expiries.size()) - 1;
    std::vector<Timestamp> expiries = claim.expiries;
    std::sort(expiries.begin(), expiries.end(), std::greater<>());
    return {claim.row.owner, claim.row.token, expiries[last]};
  }
  // A grant of before whose answer was lost; nullopt: it cannot be confirmed any more.
  Result<std::optional<Grant>> Confirm(const TenantView& tenant, std::string_view name, const Claim& claim,
                                       Deadline deadline);
  std::vector<std::size_t> All() const;

  const QuorumOptions options_;
  const std::size_t quorum_;
  const Clock& clock_;
  std::vector<QuorumMaster> masters_;  // constant after construction
  std::mutex mutex_;
  std::vector<std::optional<steady_clock::time_point>> missing_since_;  // guarded by mutex_
  std::vector<std::unique_ptr<execution::TaskPool>> lanes_;             // last: what they run uses the rest
};

std::vector<std::size_t> QuorumLocks::All() const {
  std::vector<std::size_t> all(masters_.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

template <typename Value, typename Step>
std::vector<Result<Value>> QuorumLocks::AskEach(const std::vector<std::size_t>& which, const Step& step,
                                                Deadline deadline) {
  // Shared with those that answer too late.
  struct Answers {
    std::mutex mutex;
    std::condition_variable all_there;
    std::vector<std::optional<Result<Value>>> answers;
    std::size_t missing = 0;
  };
  const Deadline until = Deadline::After(options_.master_timeout).Sooner(deadline);
  const auto shared = std::make_shared<Answers>();
  shared->answers.resize(which.size());
  shared->missing = which.size();
  for (std::size_t i = 0; i < which.size(); ++i) {
    const std::size_t master = which[i];
    const auto answer = [shared, i](Result<Value> result) {
      std::lock_guard lock(shared->mutex);
      shared->answers[i].emplace(std::move(result));
      if (--shared->missing == 0) shared->all_there.notify_one();
    };
    const bool queued = lanes_[master]->Add([this, step, master, until, answer] {
      answer(until.Expired() ? Result<Value>(Unavailable("it was busy")) : step(masters_[master], master, until));
    });
    if (!queued) answer(Unavailable("too many wait for it"));
  }
  std::unique_lock lock(shared->mutex);
  shared->all_there.wait_until(lock, until.WaitUntil(), [&] { return shared->missing == 0; });
  std::vector<Result<Value>> results;
  for (std::size_t i = 0; i < which.size(); ++i) {
    results.push_back(shared->answers[i] ? *shared->answers[i]
                                         : Result<Value>(Error(ErrorCode::kOutcomeUnknown, "no answer in time")));
  }
  return results;
}

Result<Round> QuorumLocks::Look(const QuorumKeys& keys, Deadline deadline) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    Round round;
    round.views = AskEach<QuorumView>(
        All(), [keys](const QuorumMaster& master, std::size_t, Deadline until) { return master.Look(keys, until); },
        deadline);
    std::string silent;
    for (std::size_t i = 0; i < round.views.size(); ++i) {
      const Result<QuorumView>& view = round.views[i];
      if (!view.ok()) {
        if (view.error().code() == ErrorCode::kCorruption) return view.error();
        silent += fmt::format("; {}: {}", masters_[i].name(), view.error().message());
        continue;
      }
      ++round.answered;
      if (!view->member || view->resting) ++round.resting;
      round.newest_token = std::max(round.newest_token, view->newest_token);
    }
    if (round.answered < quorum_) {
      return Unavailable(
          fmt::format("{} of the {} servers that keep the locks of this store answered, and {} are "
                      "needed{}",
                      round.answered, masters_.size(), quorum_, silent));
    }
    HOLDFAST_ASSIGN_OR_RETURN(const bool again, Admit(round, deadline));
    if (!again) return round;
  }
  return Unavailable("servers that keep the locks of this store were just made members; try again");
}

bool QuorumLocks::MissingLongEnough(std::size_t master, bool missing) {
  const auto now = steady_clock::now();
  std::lock_guard lock(mutex_);
  auto& since = missing_since_[master];
  if (!missing) since.reset();
  if (missing && !since) since = now;
  return since && now - *since >= kFoundingTakes;
}

Result<bool> QuorumLocks::Admit(const Round& round, Deadline deadline) {
  std::vector<std::size_t> missing;
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < masters_.size(); ++i) {
    const bool lacks = round.views[i].ok() && !round.views[i]->member;
    if (lacks) missing.push_back(i);
    if (MissingLongEnough(i, lacks)) due.push_back(i);
  }
  if (missing.empty()) return false;
  const bool founding = missing.size() == masters_.size();
  if (!founding && missing.size() == round.answered) {
    return Unavailable(
        fmt::format("the servers that keep the locks of this store are new, or have lost their data, and "
                    "{} of them do not answer; the first lock needs all of them",
                    masters_.size() - round.answered));
  }
  if (founding) due = missing;
  if (due.empty()) return false;
  // Behind the margin a lock of the longest TTL is gone by every clock.
  const microseconds rest = founding ? microseconds::zero() : options_.max_ttl + Margin(options_.max_ttl);
  for (const auto& joined : AskEach<bool>(
           due, [rest](const QuorumMaster&master, std::size_t, Deadline until) { return master.Join(rest, until); },
           deadline)) {
    if (joined.ok() && *joined) return true;
  }
  return founding;
}

bool QuorumLocks::GrantOnMajority(const QuorumKeys& keys, const Round& round, const LockRow& row, microseconds ttl,
                                  Deadline deadline) {
  const std::vector<std::size_t> free = round.Free();
  std::vector<QuorumView> seen(masters_.size());
  for (const std::size_t i : free) seen[i] = *round.views[i];
  const auto granted = AskEach<bool>(
      free,
      [keys, seen, row, ttl](const QuorumMaster& master, std::size_t i, Deadline until) {
        return master.Grant(keys, seen[i], row, ttl, until);
      },
      deadline);
  const auto votes = std::count_if(granted.begin(), granted.end(), [](const auto& vote) { return vote.ok() && *vote; });
  return static_cast<std::size_t>(votes) >= quorum_;
}

std::size_t QuorumLocks::ReleaseOn(const QuorumKeys& keys, const Round& round, const std::vector<std::size_t>& which,
                                   Deadline deadline) {
  std::vector<QuorumView> seen(masters_.size());
  for (const std::size_t i : which) seen[i] = *round.views[i];
  const auto released = AskEach<bool>(
      which,
      [keys, seen](const QuorumMaster& master, std::size_t i, Deadline until) {
        return master.Release(keys, seen[i], until);
      },
      deadline);
  // What was gone already is as good.
  return static_cast<std::size_t>(
      std::count_if(released.begin(), released.end(), [](const auto& result) { return result.ok(); }));
}

bool QuorumLocks::TakeBack(const QuorumKeys& keys, std::string_view lease) {
  const Result<Round> round = Look(keys, Deadline::Infinite());
  if (!round.ok()) return false;  // the rows expire with their TTL
  std::vector<std::size_t> own;
  for (std::size_t i = 0; i < masters_.size(); ++i) {
    const Result<QuorumView>& view = round->views[i];
    if (view.ok() && view->row && view->row->lease == lease) own.push_back(i);
  }
  const std::size_t gone = ReleaseOn(keys, *round, own, Deadline::Infinite());
  return masters_.size() - round->answered + own.size() - gone < quorum_;
}

Result<std::optional<Grant>> QuorumLocks::Confirm(const TenantView& tenant, std::string_view name, const Claim& claim,
                                                  Deadline deadline) {
  const Timestamp expires_at = ExpiryOf(claim);
  const auto left = std::chrono::duration_cast<microseconds>(expires_at - clock_.Now());
  const microseconds validity = left - Margin(std::max(left, microseconds::zero()));
  if (validity <= microseconds::zero()) return std::optional<Grant>();
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t newest, Record(*tenant.rooms, name, claim.row, left, deadline));
  if (newest != claim.row.token) return std::optional<Grant>();
  return std::optional(Grant{claim.row.lease, claim.row.token, clock_.Now() + validity});
}

Locks::Tried QuorumLocks::TryAcquire(const TenantView& tenant, std::string_view name, std::string_view owner,
                                     const Lease& lease, microseconds ttl, Deadline deadline) {
  bool standing = false;
  Tried tried = Attempts(tenant, name, owner, lease, ttl, deadline, &standing);
  if (tried.ok() || !standing) return tried;
  // Whoever asked has to ask again with the same lease, or release it.
  return Error(ErrorCode::kOutcomeUnknown,
               fmt::format("{}; the lock may be held by this request until its TTL", tried.error().message()));
}

Locks::Tried QuorumLocks::Attempts(const TenantView& tenant, std::string_view name, std::string_view owner,
                                   const Lease& lease, microseconds ttl, Deadline deadline, bool* standing) {
  const QuorumKeys keys(tenant.space, name);
  Backoff backoff({options_.retry_delay, options_.retry_delay * kLongestRetry});
  std::uint64_t lowest_token = 1;
  for (int attempt = 0; attempt < kMaxAttempts && !deadline.Expired(); ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::min(backoff.Next(), deadline.Remaining()));
    HOLDFAST_ASSIGN_OR_RETURN(const Round round, Look(keys, deadline));
    if (const auto left_behind = round.LeftBehind(); !left_behind.empty()) {
      ReleaseOn(keys, round, left_behind, deadline);
      continue;
    }
    const Claim own = round.OfLease(lease);
    if (own.masters.size() >= quorum_) {
      HOLDFAST_ASSIGN_OR_RETURN(auto grant, Confirm(tenant, name, own, deadline));
      if (grant) return std::variant<Grant, Holder>(std::move(*grant));
    }
    if (!own.masters.empty()) {
      lowest_token = std::max(lowest_token, own.row.token + 1);
      *standing = !TakeBack(keys, lease);
      continue;
    }
    const Claim other = round.OfOthers(lease);
    if (MayHold(other, round)) return std::variant<Grant, Holder>(AsHolder(other));

    if (round.answered - round.resting < quorum_) {
      return Unavailable(
          fmt::format("{} of the servers that keep the locks of this store came without the data of "
                      "before and grant nothing for {} (setting locks.quorum_max_ttl)",
                      round.resting, FormatDuration(options_.max_ttl)));
    }

    // Somebody else's attempt is under way, or was left behind until its TTL.
    if (round.Free().size() < quorum_) continue;
    const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(clock_.Now().time_since_epoch().count(), 1));
    const LockRow row{lease, std::string(owner), std::max({now, round.newest_token + 1, lowest_token})};
    const auto begin = steady_clock::now();
    *standing = true;
    if (GrantOnMajority(keys, round, row, ttl, deadline)) {
      // An error leaves the rows: when nobody knows whether it was recorded, the same lease may ask again.
      HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t newest, Record(*tenant.rooms, name, row, ttl, deadline));
      const microseconds validity = Validity(ttl, begin);
      if (newest == row.token && validity > microseconds::zero()) {
        return std::variant<Grant, Holder>(Grant{lease, row.token, clock_.Now() + validity});
      }
      // The store may know a newer token than any server, when they have lost their data.
      lowest_token = std::max(lowest_token, newest + 1);
    }
    *standing = !TakeBack(keys, lease);
  }
  return Unavailable(
      "no majority of the servers that keep the locks of this store could be won: several ask for this lock at once, "
      "or the "
      "TTL is too short for a round; try again");
}

Result<std::optional<Grant>> QuorumLocks::Extend(const TenantView& tenant, std::string_view name,
                                                 std::string_view lease, microseconds ttl, Deadline deadline) {
  const QuorumKeys keys(tenant.space, name);
  HOLDFAST_ASSIGN_OR_RETURN(const Round round, Look(keys, deadline));
  const Claim own = round.OfLease(lease);
  if (own.masters.size() < quorum_) {
    if (!MayHold(own, round)) return std::optional<Grant>();
    return Unavailable("too few of the servers that keep the locks of this store answered to extend it; try again");
  }
  std::vector<QuorumView> seen(masters_.size());
  for (const std::size_t i : own.masters) seen[i] = *round.views[i];
  const auto begin = steady_clock::now();
  const auto extended = AskEach<bool>(
      own.masters,
      [keys, seen, ttl](const QuorumMaster& master, std::size_t i, Deadline until) {
        return master.Extend(keys, seen[i], ttl, until);
      },
      deadline);
  std::size_t votes = 0;
  std::size_t lost = 0;
  for (const auto& vote : extended) {
    if (vote.ok()) ++(*vote ? votes : lost);
  }
  if (votes < quorum_) {
    if (own.masters.size() - lost < quorum_) return std::optional<Grant>();
    return Unavailable("too few of the servers that keep the locks of this store extended it in time; try again");
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t newest, Record(*tenant.rooms, name, own.row, ttl, deadline));
  const microseconds validity = Validity(ttl, begin);
  if (newest != own.row.token || validity <= microseconds::zero()) return std::optional<Grant>();
  return std::optional(Grant{own.row.lease, own.row.token, clock_.Now() + validity});
}

Result<bool> QuorumLocks::Release(const TenantView& tenant, std::string_view name, std::string_view lease,
                                  Deadline deadline) {
  const QuorumKeys keys(tenant.space, name);
  HOLDFAST_ASSIGN_OR_RETURN(const Round round, Look(keys, deadline));
  const Claim own = round.OfLease(lease);
  const bool held = MayHold(own, round);
  const std::size_t gone = ReleaseOn(keys, round, own.masters, deadline);
  if (!held) return false;
  // Those that could not be asked may still have their rows, until the TTL; alone they must not be a majority.
  if (masters_.size() - round.answered + own.masters.size() - gone >= quorum_) {
    return Error(
        ErrorCode::kOutcomeUnknown,
        "too few of the servers that keep the locks of this store answered; it ends with its TTL at the latest");
  }
  // Observers hear of it there. Failing, they do when its row expires.
  static_cast<void>(coordination::Release(*tenant.rooms, name, lease, deadline));
  return true;
}

Result<std::optional<Holder>> QuorumLocks::FindHolder(const TenantView& tenant, std::string_view name,
                                                      Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Round round, Look(QuorumKeys(tenant.space, name), deadline));
  const Claim largest = round.OfOthers({});
  if (!MayHold(largest, round)) return std::optional<Holder>();
  return std::optional(AsHolder(largest));
}

}  // namespace

std::shared_ptr<Locks> MakeQuorumLocks(std::string_view store, const NamedMasters& masters,
                                       const QuorumOptions& options, const Clock& clock) {
  return std::make_shared<QuorumLocks>(store, masters, options, clock);
}

}  // namespace holdfast::coordination
