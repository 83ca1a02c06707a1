#include "operator/kube/leader_election.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "base/log/log.h"
#include "operator/kube/lease_record.h"

namespace holdfast::kube {
namespace {

constexpr double kJitterFactor = 1.2;  // client-go's JitterFactor: candidates must not knock in step

Status CheckOptions(const LeaderElectionOptions& options) {
  const auto invalid = [](const char* message) { return Error(ErrorCode::kInvalidArgument, message); };
  if (options.ns.empty()) return invalid("leader election: the namespace of the Lease is missing");
  if (options.name.empty()) return invalid("leader election: the name of the Lease is missing");
  if (options.identity.empty()) return invalid("leader election: the identity is missing; it is unique per process");
  if (options.retry_period.count() <= 0) return invalid("leader election: retry_period must be above zero");
  if (static_cast<double>(options.renew_deadline.count()) <=
      kJitterFactor * static_cast<double>(options.retry_period.count())) {
    return invalid("leader election: renew_deadline must be above 1.2 times retry_period");
  }
  if (options.lease_duration <= options.renew_deadline) {
    return invalid("leader election: lease_duration must be above renew_deadline");
  }
  return {};
}

class Candidate {
 public:
  Candidate(Client& client, const LeaderElectionOptions& options, const Clock& clock)
      : client_(client), options_(options), clock_(clock) {}

  // True when the lease is ours until `renew_deadline` after this call began.
  Result<bool> TryAcquireOrRenew(Deadline deadline) {
    const ObjectKey key{options_.ns, options_.name};
    auto current = client_.Get(kinds::kLease, key, deadline);
    if (!current.ok()) {
      if (current.error().code() != ErrorCode::kNotFound) return std::move(current).error();
      const auto created = client_.Create(kinds::kLease, ToLease({}, NewRecord({})), deadline);
      if (!created.ok()) return created.error();
      Observe(*created);
      return true;
    }
    Observe(*current);
    const LeaseRecord record = RecordOf(*current);
    if (!record.holder.empty() && record.holder != options_.identity && !HasExpired(record)) return false;
    // Conditional on the version read above: of two candidates that saw the same expiry only one gets it.
    const auto updated = client_.Update(kinds::kLease, ToLease(*current, NewRecord(record)), deadline);
    if (!updated.ok()) return updated.error();
    Observe(*updated);
    return true;
  }

  // So that the next leader need not wait. Only what is still ours is given up.
  Status Release(Deadline deadline) {
    if (!observed_ || RecordOf(*observed_).holder != options_.identity) return {};
    LeaseRecord record = RecordOf(*observed_);
    record.holder.clear();
    record.duration = std::chrono::seconds{1};
    record.renewed = clock_.Now();
    const auto updated = client_.Update(kinds::kLease, ToLease(*observed_, record), deadline);
    return updated.ok() ? Status::Ok() : Status(updated.error());
  }

  std::string LastHolder() const { return observed_ ? RecordOf(*observed_).holder : std::string(); }

 private:
  void Observe(const Json& lease) {
    // Only the spec counts: a label put on the Lease is no sign of life. All of it, as it was written: a holder that
    // writes its times in another way is alive too.
    const bool unchanged = observed_ && SpecOf(*observed_) == SpecOf(lease);
    observed_ = lease;
    if (!unchanged) observed_at_ = clock_.Monotonic();
  }

  static Json SpecOf(const Json& lease) {
    const auto spec = lease.find("spec");
    return spec == lease.end() ? Json() : *spec;
  }

  bool HasExpired(const LeaseRecord& record) const {
    // The holder's own promise; a record without one gets ours.
    const std::chrono::nanoseconds duration = record.duration.count() > 0
                                                  ? std::chrono::nanoseconds(record.duration)
                                                  : std::chrono::nanoseconds(options_.lease_duration);
    return clock_.Monotonic() - observed_at_ >= duration;
  }

  LeaseRecord NewRecord(const LeaseRecord& previous) const {
    const Timestamp now = clock_.Now();
    LeaseRecord record;
    record.holder = options_.identity;
    record.duration = std::chrono::ceil<std::chrono::seconds>(options_.lease_duration);
    record.renewed = now;
    const bool held_already = previous.holder == options_.identity;
    record.acquired = held_already && previous.acquired ? previous.acquired : now;
    record.transitions = previous.transitions + (held_already || previous.never_held ? 0 : 1);
    return record;
  }

  Json ToLease(Json base, const LeaseRecord& record) const {
    return WithRecord(std::move(base), {options_.ns, options_.name}, record);
  }

  Client& client_;
  const LeaderElectionOptions& options_;
  const Clock& clock_;
  std::optional<Json> observed_;
  MonotonicTime observed_at_{};
};

// The leader's work, on its own thread.
class Work {
 public:
  explicit Work(const std::function<void(std::stop_token)>& lead)
      : thread_([this, &lead](const std::stop_token& stop) {
          lead(stop);
          const std::lock_guard lock(mutex_);
          ended_ = true;
          changed_.notify_all();
        }) {}

  void RequestStop() { thread_.request_stop(); }

  // True once it has ended; waits at most `pause`, less when `stop` is requested.
  bool WaitForEnd(std::chrono::nanoseconds pause, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, pause, [this] { return ended_; });
    return ended_;
  }

  void Join() { thread_.join(); }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool ended_ = false;   // guarded by mutex_
  std::jthread thread_;  // last: it uses the others
};

class Election {
 public:
  Election(Client& client, const LeaderElectionOptions& options, std::stop_token stop, const Clock& clock)
      : options_(options), stop_(std::move(stop)), clock_(clock), candidate_(client, options, clock) {}

  Status Run(const std::function<void(std::stop_token)>& lead) {
    if (!Acquire()) return {};
    log::Info("this process leads", {{"lease", Name()}, {"identity", options_.identity}});
    Work work(lead);
    Status kept = Keep(work);
    work.RequestStop();
    work.Join();
    if (!kept.ok()) return kept;
    const Status released = candidate_.Release(Deadline::After(options_.renew_deadline));
    if (!released.ok()) {
      // The next leader waits for it to expire; nothing else is lost.
      log::Warn("the lease was not released", {{"lease", Name()}, {"error", released.error().ToString()}});
    }
    return {};
  }

 private:
  // False when stopped first.
  bool Acquire() {
    std::string reported;
    while (!stop_.stop_requested()) {
      if (Attempt(options_.renew_deadline / 2)) return true;
      if (const std::string holder = candidate_.LastHolder(); !holder.empty() && holder != reported) {
        log::Info("waiting for the lease", {{"lease", Name()}, {"holder", holder}});
        reported = holder;
      }
      Pause();
    }
    return false;
  }

  // Renews until the work has ended (ok, also when that was `stop`) or the lease is lost.
  Status Keep(Work& work) {
    bool stopping = false;
    for (;;) {
      const auto left = held_since_ + options_.renew_deadline - clock_.Monotonic();
      const bool ended = work.WaitForEnd(std::min(JitteredRetry(), std::chrono::nanoseconds(left)),
                                         stopping ? std::stop_token() : stop_);
      if (ended) return {};
      if (stop_.stop_requested() && !stopping) {
        // The lease is renewed on while the work winds down: until it has ended nobody else may begin.
        stopping = true;
        work.RequestStop();
        continue;
      }
      const auto held_for = clock_.Monotonic() - held_since_;
      if (held_for >= options_.renew_deadline) return Lost("it could not be renewed in time");
      // Half of the time, so that one connection that went silent leaves room for another attempt.
      const auto budget = std::min<std::chrono::nanoseconds>(options_.renew_deadline - held_for,
                                                             std::chrono::nanoseconds(options_.renew_deadline) / 2);
      if (!Attempt(budget) && !taken_by_.empty()) return Lost("it is held by " + taken_by_);
      if (clock_.Monotonic() - held_since_ >= options_.renew_deadline) return Lost("it could not be renewed in time");
    }
  }

  // True when the lease is held now.
  bool Attempt(std::chrono::nanoseconds budget) {
    // Others count from when they see the renewal; counting from before it was sent keeps us on the safe side.
    const MonotonicTime began = clock_.Monotonic();
    const auto held = candidate_.TryAcquireOrRenew(Deadline::After(budget));
    taken_by_.clear();
    if (held.ok() && *held) {
      held_since_ = began;
      return true;
    }
    if (held.ok()) {
      taken_by_ = candidate_.LastHolder();
    } else {
      const ErrorCode code = held.error().code();
      // Another candidate was quicker; the next look says who.
      const bool raced = code == ErrorCode::kVersionConflict || code == ErrorCode::kAlreadyExists;
      if (!raced) log::Warn("the lease could not be taken", {{"lease", Name()}, {"error", held.error().ToString()}});
    }
    return false;
  }

  Status Lost(const std::string& why) const {
    return Error(ErrorCode::kFailedPrecondition, "the lease " + Name() + " is lost: " + why);
  }

  std::string Name() const { return options_.ns + "/" + options_.name; }

  std::chrono::nanoseconds JitteredRetry() {
    std::uniform_real_distribution<double> factor(1.0, kJitterFactor);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(options_.retry_period * factor(random_));
  }

  // Ends early on stop.
  void Pause() {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop_, JitteredRetry(), [] { return false; });
  }

  const LeaderElectionOptions& options_;
  const std::stop_token stop_;
  const Clock& clock_;
  Candidate candidate_;
  std::mt19937_64 random_{std::random_device{}()};
  MonotonicTime held_since_{};
  std::string taken_by_;
};

}  // namespace

Status RunAsLeader(Client& client, const LeaderElectionOptions& options, std::stop_token stop,
                   const std::function<void(std::stop_token)>& lead, const Clock& clock) {
  HOLDFAST_RETURN_IF_ERROR(CheckOptions(options));
  return Election(client, options, std::move(stop), clock).Run(lead);
}

}  // namespace holdfast::kube
