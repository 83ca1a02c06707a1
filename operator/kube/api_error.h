// What the API server's refusals mean to us: the table at the head of client.h.
#pragma once

#include <string_view>

#include "base/result/error.h"
#include "operator/kube/object.h"

namespace holdfast::kube {

// From an HTTP status and a body that is a metav1.Status, or is not. `write` says that the request could have changed
// something: then an answer that does not tell whether it did is kOutcomeUnknown. One more reading of the table: "too
// large resource version" (an etcd restored from a backup) is kFailedPrecondition like 410, since the remedy is the
// same: list without it. What only a person can mend ends with what to do: refused credentials (401), a right that RBAC
// does not give (403), a kind of object that the server does not serve (404).
Error ErrorFromResponse(int http_status, std::string_view body, bool write);
// From the Status inside a watch's ERROR event.
Error ErrorFromStatus(const Json& status);
// From a request whose answer never came.
Error ErrorFromTransport(Error error, bool write);

}  // namespace holdfast::kube
