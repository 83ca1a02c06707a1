// The Kubernetes API, as far as an operator needs it. Thread-safe. Errors map as follows: 404 kNotFound, 409
// AlreadyExists kAlreadyExists, 409 Conflict kVersionConflict, 410 kFailedPrecondition, 422 and 400 kInvalidArgument,
// 401 and 403 kFailedPrecondition naming verb and resource, 429 and 5xx kUnavailable, a write whose answer was lost
// kOutcomeUnknown (the caller reads again; it never assumes). Messages carry the server's own words.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/object.h"

namespace holdfast::kube {

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;  // "" = quorum read, "0" = from the server's cache
  std::size_t limit = 0;         // page size; List follows `continue` itself
};

struct ObjectList {
  std::vector<Json> items;  // each with its apiVersion and kind filled in
  std::string resource_version;
};

struct ApplyOptions {
  std::string field_manager = "holdfast-operator";
  bool force = true;
  bool dry_run = false;
};

// Every delete names what it means to delete: an object of the same name made since is left alone (409, reported as
// kVersionConflict).
struct DeletePreconditions {
  std::string uid;
  std::string resource_version;
  // Of a pod: instead of the grace period its spec gives it. At least a second: without grace the API server does not
  // wait for the kubelet, and the processes may outlive the object.
  std::optional<std::chrono::seconds> grace = {};
};

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark };
struct WatchEvent {
  WatchEventType type;
  Json object;
};

struct WatchOptions {
  std::string label_selector;
  std::string resource_version;
  std::chrono::seconds timeout{300};               // asked of the server, but at most two thirds of idle_timeout
  std::chrono::milliseconds idle_timeout{90'000};  // no byte for so long: the stream is taken for dead
};

class Client {
 public:
  virtual ~Client() = default;

  virtual Result<Json> Get(const ResourceKind& kind, const ObjectKey& key, Deadline deadline) = 0;
  // An empty namespace lists all namespaces.
  virtual Result<ObjectList> List(const ResourceKind& kind, const std::string& ns, const ListOptions& options,
                                  Deadline deadline) = 0;
  // Blocks, calling `on_event` in order, until the server ends the watch (ok), `on_event` returns false (ok), or it
  // fails: 410 in either form (status, or an ERROR event inside the stream) is kFailedPrecondition; a silent stream
  // kDeadlineExceeded; a broken one kUnavailable; one whose content makes no sense kCorruption; `stop` kCancelled.
  virtual Status Watch(const ResourceKind& kind, const std::string& ns, const WatchOptions& options,
                       std::stop_token stop, const std::function<bool(WatchEvent)>& on_event) = 0;
  virtual Result<Json> Create(const ResourceKind& kind, const Json& object, Deadline deadline) = 0;
  // PUT; the object's resourceVersion is the precondition when it has one.
  virtual Result<Json> Update(const ResourceKind& kind, const Json& object, Deadline deadline) = 0;
  virtual Result<Json> UpdateStatus(const ResourceKind& kind, const Json& object, Deadline deadline) = 0;
  // Server-side apply: `object` holds exactly the fields we own.
  virtual Result<Json> Apply(const ResourceKind& kind, const Json& object, const ApplyOptions& options,
                             Deadline deadline) = 0;
  // RFC 7386; a resourceVersion inside `patch` is a precondition.
  virtual Result<Json> MergePatch(const ResourceKind& kind, const ObjectKey& key, const Json& patch,
                                  Deadline deadline) = 0;
  // Background propagation. kNotFound when it is gone already, kInvalidArgument when a precondition is missing.
  virtual Status Delete(const ResourceKind& kind, const ObjectKey& key, const DeletePreconditions& preconditions,
                        Deadline deadline) = 0;
};

}  // namespace holdfast::kube
