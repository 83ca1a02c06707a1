#include "service/backup/no_target.h"

namespace holdfast::backup {
namespace {

class NoTarget final : public Target {
 public:
  std::string Describe() const override { return "no place"; }
  Status Put(const ObjectName& /*name*/, std::string_view /*bytes*/, Deadline /*deadline*/) override {
    return NoPlace();
  }
  Status PutNew(const ObjectName& /*name*/, std::string_view /*bytes*/, Deadline /*deadline*/) override {
    return NoPlace();
  }
  Result<bool> CreatesOnce(Deadline /*deadline*/) override { return NoPlace(); }
  Result<std::string> Get(const ObjectName& /*name*/, std::size_t /*most*/, Deadline /*deadline*/) override {
    return NoPlace();
  }
  Result<std::vector<StoredObject>> List(std::string_view /*prefix*/, Deadline /*deadline*/) override {
    return NoPlace();
  }
  Status Delete(const ObjectName& /*name*/, Deadline /*deadline*/) override { return NoPlace(); }
};

}  // namespace

Error NoPlace() {
  return {ErrorCode::kNotSupported,
          "the service has no place for backups: set backups.directory or backups.s3.endpoint"};
}

std::unique_ptr<Target> MakeNoTarget() {
  return std::make_unique<NoTarget>();
}

}  // namespace holdfast::backup
