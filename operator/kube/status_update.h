// Writes a part of an object's status while others write other parts.
#pragma once

#include <functional>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::kube {

struct StatusUpdate {
  std::string what;  // for errors: "status.redis"
  int attempts = 1;  // conflicts that are met by reading the object again, and one
  // Of the object as it is, its whole status as it should be.
  std::function<Json(const Json& object)> status_of;
};

// Returns the object as it is then; nothing is written where the status is as it should be already, nor to another
// object of that name. kVersionConflict when all attempts met one.
Result<Json> UpdateStatus(Client& client, const ResourceKind& kind, Json object, const StatusUpdate& update,
                          Deadline deadline);

}  // namespace holdfast::kube
