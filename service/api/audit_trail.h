// What one request changes, collected on its way for the audit log.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/storage/types.h"
#include "service/tenancy/audit_log.h"

namespace holdfast::api {

// One change of a key or document: noted before its operation is handed over, since that takes the value along.
struct NotedChange {
  storage::OperationKind kind = storage::OperationKind::kGet;
  std::string key;
  std::optional<tenancy::Digest> value;
  std::string_view operation = {};  // what the record calls it; empty = as the kind is called
};
// nullopt when the operation changes nothing. `operation` has the client's own key.
std::optional<NotedChange> NoteChange(const storage::Operation& operation);

// Used from one thread at a time.
class AuditTrail {
 public:
  // What the request is about, for requests whose changes are not keys: a name, a prefix.
  void SetSubject(std::string_view subject) { subject_ = subject; }
  // An operation that has taken effect; others are not to be added.
  void Add(NotedChange change, const storage::OperationResult& result);
  // The request's changes are keys only, and there may be none.
  void KeysOnly() { keys_only_ = true; }

  // Writes one record for each change, or one for the request when it succeeded and named none. `record` says who and
  // where.
  void Finish(int status, std::string_view operation_id, tenancy::AuditRecord record, tenancy::AuditLog& log);

 private:
  struct Change {
    NotedChange noted;
    storage::Version version;
  };
  std::string subject_;
  bool keys_only_ = false;
  std::vector<Change> changes_;
};

}  // namespace holdfast::api
