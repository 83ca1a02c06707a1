// One of the independent servers on which a quorum of locks is kept: the steps that are made on it alone. Rows:
// docs/formats/coordination-rows.md. Each step is one call of the backend, and what a step relies on is a condition of
// its transaction, so that nothing it saw can have changed when it writes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "service/coordination/lock.h"
#include "service/storage/key_space.h"

namespace holdfast::coordination {

// The keys of one lock on every master.
struct QuorumKeys {
  QuorumKeys(const storage::KeySpace& tenant, std::string_view name)
      : lock(tenant.Wrap(LockKey(name))), fence(tenant.Wrap(FenceKey(name))) {}

  std::string lock;
  std::string fence;
};

// What stands on a master.
struct QuorumView {
  bool member = false;   // it has kept the data it was given when it joined
  bool resting = false;  // it joined without the data of before, and grants nothing yet
  std::optional<LockRow> row;
  storage::Version row_version = 0;
  Timestamp row_expires_at{};  // by the master's clock
  std::uint64_t newest_token = 0;
  storage::Version fence_version = 0;  // 0: no row
};

// Thread-safe; immutable. Errors are those of the backend; a row that cannot be read is kCorruption.
class QuorumMaster {
 public:
  // `masters`: how many the quorum is taken of, which the master remembers.
  QuorumMaster(std::string name, std::shared_ptr<storage::Backend> backend, std::string_view store,
               std::size_t masters);

  // The configured name.
  const std::string& name() const { return name_; }

  // kUnavailable where it has joined a quorum of another number of masters.
  Result<QuorumView> Look(const QuorumKeys& keys, Deadline deadline) const;
  // It belongs to the quorum from now on; false when it did already. `rest`: it grants nothing for so long, by its own
  // clock; zero for the founders.
  Result<bool> Join(std::chrono::microseconds rest, Deadline deadline) const;
  // The lock row, and its token as the newest one, if the master still is as it was seen: a member that does not rest,
  // the lock free, the same fence. False when not.
  Result<bool> Grant(const QuorumKeys& keys, const QuorumView& seen, const LockRow& row, std::chrono::microseconds ttl,
                     Deadline deadline) const;
  // Of the row that was seen; false when it has changed since or is gone.
  Result<bool> Extend(const QuorumKeys& keys, const QuorumView& seen, std::chrono::microseconds ttl,
                      Deadline deadline) const;
  Result<bool> Release(const QuorumKeys& keys, const QuorumView& seen, Deadline deadline) const;

 private:
  const std::string name_;
  const std::shared_ptr<storage::Backend> backend_;
  const std::string member_key_;
  const std::string rest_key_;
  const std::string member_value_;
};

}  // namespace holdfast::coordination
