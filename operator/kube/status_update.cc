#include "operator/kube/status_update.h"

#include <utility>

#include "operator/kube/object.h"

namespace holdfast::kube {

Result<Json> UpdateStatus(Client& client, const ResourceKind& kind, Json object, const StatusUpdate& update,
                          Deadline deadline) {
  const std::string uid = UidOf(object);
  const ObjectKey key = KeyOf(object);
  for (int attempt = 1;; ++attempt) {
    Json status = update.status_of(object);
    if (object.value("status", Json()) == status) return object;
    object["status"] = std::move(status);
    auto written = client.UpdateStatus(kind, object, deadline);
    if (written.ok()) return written;
    if (written.error().code() != ErrorCode::kVersionConflict || attempt == update.attempts) {
      return std::move(written).error().WithContext("writing " + update.what);
    }
    auto read = client.Get(kind, key, deadline);
    if (!read.ok()) return std::move(read).error().WithContext("reading again to write " + update.what);
    object = std::move(read).value();
    if (UidOf(object) != uid) return object;
  }
}

}  // namespace holdfast::kube
