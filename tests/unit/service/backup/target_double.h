// A target between the service and a real one, which does as a test says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "service/backup/target.h"

namespace holdfast::backup {

class TargetDouble final : public Target {
 public:
  explicit TargetDouble(std::shared_ptr<Target> target) : target_(std::move(target)) {}

  std::string Describe() const override { return target_->Describe(); }
  Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    if (before_put) HOLDFAST_RETURN_IF_ERROR(before_put(name, bytes));
    return target_->Put(name, bytes, deadline);
  }
  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    if (before_put) HOLDFAST_RETURN_IF_ERROR(before_put(name, bytes));
    return target_->PutNew(name, bytes, deadline);
  }
  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    if (before_get) before_get(name);
    return target_->Get(name, most, deadline);
  }
  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    return target_->List(prefix, deadline);
  }
  Status Delete(const ObjectName& name, Deadline deadline) override { return target_->Delete(name, deadline); }

  // Set while nothing runs.
  std::function<Status(const ObjectName& name, std::string_view bytes)> before_put;
  std::function<void(const ObjectName& name)> before_get;

 private:
  const std::shared_ptr<Target> target_;
};

}  // namespace holdfast::backup
