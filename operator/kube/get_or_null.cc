#include "operator/kube/get_or_null.h"

namespace holdfast::kube {

Result<Json> GetOrNull(Client& client, const ResourceKind& kind, const ObjectKey& key, Deadline deadline) {
  auto object = client.Get(kind, key, deadline);
  if (!object.ok() && object.error().code() == ErrorCode::kNotFound) return Json();
  return object;
}

}  // namespace holdfast::kube
