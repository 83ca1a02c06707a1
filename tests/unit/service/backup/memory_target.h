// A target in memory, whose times are a test's, and whose calls go as a test says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "service/backup/target.h"

namespace holdfast::backup {

// Thread-safe.
class MemoryTarget final : public Target {
 public:
  struct Stored {
    std::string bytes;
    Timestamp modified_at{};
  };
  using Objects = std::map<std::string, std::pair<ObjectName, Stored>>;  // by what Show says

  explicit MemoryTarget(const Clock& clock) : clock_(clock) {}

  std::string Describe() const override { return "memory"; }
  Status Put(const ObjectName& name, std::string_view bytes, Deadline) override {
    const std::lock_guard lock(mutex_);
    objects_[Show(name)] = {name, {std::string(bytes), clock_.Now()}};
    return {};
  }
  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline) override {
    const std::lock_guard lock(mutex_);
    const bool put = objects_.try_emplace(Show(name), name, Stored{std::string(bytes), clock_.Now()}).second;
    return put ? Status() : Status(AlreadyThere(name, *this));
  }
  Result<std::string> Get(const ObjectName& name, std::size_t, Deadline) override {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(Show(name));
    if (found == objects_.end()) return Error(ErrorCode::kNotFound, "memory has no " + Show(name));
    return found->second.second.bytes;
  }
  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline) override {
    const std::lock_guard lock(mutex_);
    std::vector<StoredObject> all;
    for (const auto& [shown, object] : objects_) {
      if (shown.starts_with(prefix)) {
        all.push_back({object.first, object.second.bytes.size(), object.second.modified_at});
      }
    }
    return all;
  }
  Status Delete(const ObjectName& name, Deadline) override {
    const std::lock_guard lock(mutex_);
    objects_.erase(Show(name));
    return {};
  }

  Objects objects() const {
    const std::lock_guard lock(mutex_);
    return objects_;
  }
  void Replace(Objects objects) {
    const std::lock_guard lock(mutex_);
    objects_ = std::move(objects);
  }
  bool Has(const std::string& shown) const { return objects().count(shown) > 0; }

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  Objects objects_;  // guarded by mutex_
};

// What becomes of a call: it is done; it is not, and fails; or it is done, and the answer is lost.
enum class Fate { kDone, kRefused, kLost };

// One caller's way to a target.
class FatedTarget final : public Target {
 public:
  // `judge`: asked before each call; the name is that of the object, or the prefix of a list.
  FatedTarget(std::shared_ptr<Target> target,
              std::function<Fate(const std::string& call, const std::string& name)> judge)
      : target_(std::move(target)), judge_(std::move(judge)) {}

  std::string Describe() const override { return target_->Describe(); }
  Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    return Change("put", name, [&] { return target_->Put(name, bytes, deadline); });
  }
  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    return Change("put", name, [&] { return target_->PutNew(name, bytes, deadline); });
  }
  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    if (judge_("get", Show(name)) != Fate::kDone) return Refused();
    return target_->Get(name, most, deadline);
  }
  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    if (judge_("list", std::string(prefix)) != Fate::kDone) return Refused();
    return target_->List(prefix, deadline);
  }
  Status Delete(const ObjectName& name, Deadline deadline) override {
    return Change("delete", name, [&] { return target_->Delete(name, deadline); });
  }

 private:
  static Error Refused() { return {ErrorCode::kUnavailable, "refused by the test"}; }

  Status Change(const std::string& call, const ObjectName& name, const std::function<Status()>& change) {
    const Fate fate = judge_(call, Show(name));
    if (fate == Fate::kRefused) return Refused();
    Status done = change();
    return fate == Fate::kDone ? done : Status(Error(ErrorCode::kOutcomeUnknown, "the answer is lost in the test"));
  }

  const std::shared_ptr<Target> target_;
  const std::function<Fate(const std::string& call, const std::string& name)> judge_;
};

}  // namespace holdfast::backup
