// An in-memory Kubernetes API server that speaks the real HTTP protocol: discovery, get, list, watch, create, update,
// the patches and server-side apply, delete with preconditions and finalizers, garbage collection, CRDs with status and
// scale, Tables for kubectl. For one machine: `holdfast-operator local` and tests. No authentication, so it serves only
// requests that a browser cannot have been tricked into sending: loopback names as Host, no Origin. Nothing is kept on
// disk. Thread-safe.
//
// What it does not do: CEL rules (x-kubernetes-validations), conversion webhooks, admission webhooks, RBAC, protobuf,
// and most of the validation of built-in kinds.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/http_listener.h"
#include "base/result/result.h"
#include "base/time/clock.h"
#include "operator/local/api_server/api_error.h"

namespace holdfast::local {

// What becomes of a request; tests make a flaky server of it.
struct Interference {
  enum class Kind {
    kAnswer,      // `error` instead of serving it
    kDropBefore,  // the connection breaks and nothing was done
    kDropAfter,   // it was done, but the answer is lost
  };
  Kind kind = Kind::kAnswer;
  ApiError error;
};
// Called for every request before it is served, on its own thread (so it may sleep); nothing = serve it.
using RequestFilter = std::function<std::optional<Interference>(const http::ServerRequest&)>;

struct ApiServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one
  std::size_t max_connections = 512;
  std::size_t max_body_bytes = 3u << 20;  // as the real server
  // How many changes of each kind a watch can look back on; older positions get 410.
  std::size_t watch_history = 4096;
  std::chrono::milliseconds bookmark_interval{60'000};
  std::chrono::milliseconds watch_timeout{30 * 60'000};  // of a watch without timeoutSeconds
  RequestFilter filter;
  // The clusterIP of a new Service that asks for none in particular; called again for a dry run, and for a creation
  // that fails. Nothing, or "", gives it one that nothing routes.
  std::function<std::string(const std::string& ns, const std::string& name)> service_address;
  const Clock* clock = nullptr;  // nullptr = the system's
};

// Of one verb ("create", "update", "patch", "apply", "delete").
struct WriteCount {
  std::uint64_t requests = 0;  // write requests, dry runs and refused ones included
  std::uint64_t changes = 0;   // those that changed something
};

class ApiServer {
 public:
  // Answers in process when this returns; on the network after Listen.
  explicit ApiServer(ApiServerOptions options = {});
  ~ApiServer();

  // kUnavailable naming address and port when the port is taken.
  Status Listen();
  std::uint16_t port() const;

  void Serve(const http::ServerRequest& request, http::ResponseWriter& writer);

  struct Reply {
    int status = 0;
    Json body;
    bool ok() const { return status >= 200 && status < 300; }
  };
  // One request from within the process, past network and filter; `user_agent` is its field manager. `content_type`
  // is application/json when empty.
  Reply Call(std::string_view method, std::string_view target, const Json& body = nullptr,
             std::string_view content_type = "", std::string_view user_agent = "local");

  // Counts every write of any object; moves when something was written.
  std::uint64_t revision() const;
  // Blocks until the revision is beyond `revision` or the timeout has passed; the current revision.
  std::uint64_t WaitBeyond(std::uint64_t revision, std::chrono::milliseconds timeout) const;

  // By verb, of the clients whose User-Agent begins so (all when empty).
  std::map<std::string, WriteCount> Writes(std::string_view user_agent = "") const;

  // Answers pods/<name>/log; nothing = the pod has no log.
  using PodLogs = std::function<std::optional<std::string>(const std::string& ns, const std::string& pod)>;
  void SetPodLogs(PodLogs logs);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::local
