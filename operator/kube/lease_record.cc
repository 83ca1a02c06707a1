#include "operator/kube/lease_record.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "base/time/duration.h"

namespace holdfast::kube {
namespace {

std::int64_t IntegerAt(const Json& spec, const char* field) {
  const auto found = spec.find(field);
  return found != spec.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::optional<Timestamp> TimeAt(const Json& lease, const char* pointer) {
  auto when = ParseTimestamp(StringAt(lease, pointer));
  return when.ok() ? std::optional(*when) : std::nullopt;
}

}  // namespace

LeaseRecord RecordOf(const Json& lease) {
  LeaseRecord record;
  record.holder = StringAt(lease, "/spec/holderIdentity");
  record.acquired = TimeAt(lease, "/spec/acquireTime");
  record.renewed = TimeAt(lease, "/spec/renewTime");
  if (const auto spec = lease.is_object() ? lease.find("spec") : lease.end();
      spec != lease.end() && spec->is_object()) {
    record.duration = std::chrono::seconds{IntegerAt(*spec, "leaseDurationSeconds")};
    record.transitions = IntegerAt(*spec, "leaseTransitions");
  }
  record.never_held = record.holder.empty() && !record.acquired;
  return record;
}

Json WithRecord(Json lease, const ObjectKey& key, const LeaseRecord& record) {
  if (!lease.is_object()) lease = Json::object();
  lease["apiVersion"] = kinds::kLease.api_version();
  lease["kind"] = kinds::kLease.kind;
  Json& metadata = lease["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  metadata["namespace"] = key.ns;
  metadata["name"] = key.name;
  Json& spec = lease["spec"];
  if (!spec.is_object()) spec = Json::object();
  spec["holderIdentity"] = record.holder;
  spec["leaseDurationSeconds"] = record.duration.count();
  spec["leaseTransitions"] = record.transitions;
  if (record.acquired) spec["acquireTime"] = FormatMicroTime(*record.acquired);
  if (record.renewed) spec["renewTime"] = FormatMicroTime(*record.renewed);
  return lease;
}

std::string FormatMicroTime(Timestamp when) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  const std::time_t time = seconds.time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const int written =
      std::snprintf(text.data() + length, text.size() - length, ".%06dZ", static_cast<int>((when - seconds).count()));
  return {text.data(), length + static_cast<std::size_t>(written)};
}

}  // namespace holdfast::kube
