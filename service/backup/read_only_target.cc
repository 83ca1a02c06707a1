#include "service/backup/read_only_target.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::backup {
namespace {

class ReadOnlyTarget final : public Target {
 public:
  explicit ReadOnlyTarget(std::unique_ptr<Target> inner) : inner_(std::move(inner)) {}

  std::string Describe() const override { return inner_->Describe(); }
  Status Put(const ObjectName& name, std::string_view /*bytes*/, Deadline /*deadline*/) override {
    return Refused("written", name);
  }
  Status PutNew(const ObjectName& name, std::string_view /*bytes*/, Deadline /*deadline*/) override {
    return Refused("written", name);
  }
  Result<bool> CreatesOnce(Deadline /*deadline*/) override { return false; }
  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    return inner_->Get(name, most, deadline);
  }
  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    return inner_->List(prefix, deadline);
  }
  Status Delete(const ObjectName& name, Deadline /*deadline*/) override { return Refused("removed", name); }

 private:
  Error Refused(std::string_view what, const ObjectName& name) const {
    return {ErrorCode::kNotSupported,
            fmt::format("{} is not {}: what backups.source names is only read, here {}", Show(name), what, Describe())};
  }

  const std::unique_ptr<Target> inner_;
};

}  // namespace

std::unique_ptr<Target> MakeReadOnlyTarget(std::unique_ptr<Target> inner) {
  return std::make_unique<ReadOnlyTarget>(std::move(inner));
}

}  // namespace holdfast::backup
