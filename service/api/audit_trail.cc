#include "service/api/audit_trail.h"

namespace holdfast::api {

std::optional<NotedChange> NoteChange(const storage::Operation& operation) {
  if (!storage::IsWrite(operation.kind)) return std::nullopt;
  NotedChange change{operation.kind, operation.key, std::nullopt, {}};
  if (operation.kind == storage::OperationKind::kPut) change.value = tenancy::Sha256(operation.value);
  return change;
}

void AuditTrail::Add(NotedChange change, const storage::OperationResult& result) {
  keys_only_ = true;
  // What may have taken effect is written down too, without a version; deleting what is not there is no change.
  const bool removes = change.kind == storage::OperationKind::kDelete || change.kind == storage::OperationKind::kTake;
  const bool happened = result.status.ok() && !(removes && !result.existed);
  const bool may_have = !result.status.ok() && result.status.error().code() == ErrorCode::kOutcomeUnknown;
  if (!happened && !may_have) return;
  if (happened && change.kind == storage::OperationKind::kIncrement)
    change.value = tenancy::Sha256(std::to_string(result.number));
  changes_.push_back({std::move(change), result.version});
}

void AuditTrail::Finish(int status, std::string_view operation_id, tenancy::AuditRecord record,
                        tenancy::AuditLog& log) {
  for (Change& change : changes_) {
    tenancy::AuditRecord of_change = record;
    of_change.operation =
        change.noted.operation.empty() ? storage::OperationKindName(change.noted.kind) : change.noted.operation;
    of_change.key = std::move(change.noted.key);
    of_change.version = change.version;
    of_change.value = change.noted.value;
    log.Add(std::move(of_change));
  }
  if (keys_only_ || status >= 300) return;
  record.operation = operation_id;
  record.key = std::move(subject_);
  log.Add(std::move(record));
}

}  // namespace holdfast::api
