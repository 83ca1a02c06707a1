// Which phase this instance may serve in, agreed with all other instances on the store.
//
// The phase is a row of the source (phase.h), and so is each instance, which names the epoch that it has come to and
// expires with its lease. A tick renews the lease and then reads the phase, in this order, so that whoever changes the
// phase afterwards sees the instance. When a change is pending the instance lets no call begin, waits for those that
// are under way, and says that it has come to that epoch. When all have, any of them settles the change; then they go
// on.
//
// An instance that cannot renew its lease in time, for whatever reason, is passed over by the others. So it begins no
// call beyond two thirds of its lease, and a call that it had begun does not count as done (Pass::Held).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/phase.h"
#include "service/dual_write/rows.h"
#include "service/storage/backend.h"

namespace holdfast::dual_write {

struct MembershipOptions {
  std::chrono::microseconds lease = std::chrono::seconds{10};
  // How long a call waits for a pending change, and for the first tick.
  std::chrono::microseconds patience = std::chrono::seconds{5};
};

// Thread-safe.
class Membership {
 public:
  // What has to be done when all instances have come to a pending change, before it is settled; repeated when it fails,
  // and possibly done by several at once.
  using Settle = std::function<Status(const PhaseRow& pending, Deadline deadline)>;
  // This instance has seen a phase that is settled; its calls have ended and none has begun.
  using Entered = std::function<void(const PhaseRow& row)>;

  // Leave to serve in a phase, for the length of a call. Movable; given back when it goes.
  class Pass {
   public:
    Pass(Pass&& other) noexcept
        : membership_(std::exchange(other.membership_, nullptr)), row_(std::move(other.row_)), lapses_(other.lapses_) {}
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (membership_ != nullptr) membership_->Leave();
    }
    Phase phase() const { return row_.phase; }
    const std::string& id() const { return row_.id; }
    // Whether the others have waited for this call, up to now.
    bool Held() const;

   private:
    friend class Membership;
    Pass(Membership& membership, PhaseRow row, std::uint64_t lapses)
        : membership_(&membership), row_(std::move(row)), lapses_(lapses) {}

    Membership* membership_;
    PhaseRow row_;
    std::uint64_t lapses_;
  };

  // `source` and `rows` outlive it. Nothing is asked of the source before Start.
  Membership(storage::Backend& source, const Rows& rows, const MembershipOptions& options, Settle settle,
             Entered entered);
  ~Membership() { Stop(); }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  void Start();
  // Lets nobody in any more, waits for the calls in progress and gives the lease back. Idempotent.
  void Stop();

  // Of this instance, in every row that names it.
  const std::string& instance() const { return instance_; }
  // kUnavailable when no phase is settled and confirmed within the patience, kDeadlineExceeded.
  Result<Pass> Enter(Deadline deadline);

  // The row as the source has it.
  Result<PhaseRow> Read(Deadline deadline) const;
  // Begins a change from `from` as it stands; kUnavailable when the row has changed meanwhile.
  Status Begin(const PhaseRow& from, Phase to, const std::string& id, Deadline deadline);
  // Waits until this instance has seen a settled row of that epoch or a later one.
  Status AwaitSettled(std::uint64_t epoch, Deadline deadline);
  // The instances whose leases have not run out, this one included.
  Result<std::vector<std::string>> Living(Deadline deadline) const;
  std::size_t calls() const;

 private:
  struct Stored {
    PhaseRow row;
    storage::Version version = 0;  // 0: there is no row
  };

  void Loop();
  void Tick();
  Status Renew(std::uint64_t epoch, Deadline deadline) const;
  Result<Stored> ReadStored(Deadline deadline) const;
  void Adopt(const Stored& stored, std::chrono::steady_clock::time_point renewed);
  bool Drained();
  Status SettleIfAllAgree(const Stored& stored, Deadline deadline);
  void Leave();
  bool Confirmed(std::chrono::steady_clock::time_point now) const {
    return confirmed_until_ && now < *confirmed_until_;
  }

  storage::Backend& source_;
  const Rows& rows_;
  const MembershipOptions options_;
  const Settle settle_;
  const Entered entered_;
  const std::string instance_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  PhaseRow row_;
  std::optional<std::chrono::steady_clock::time_point> confirmed_until_;
  std::uint64_t lapses_ = 0;  // how often a lease was renewed too late
  std::uint64_t agreed_ = 0;  // epoch that the others are told
  std::size_t calls_ = 0;
  bool nudged_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace holdfast::dual_write
