// A Client that calls the in-memory API server as a function instead of over HTTP: many lives of a cluster fit into a
// second. setup_test goes over the network.
#pragma once

#include "operator/kube/client.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::storagecluster {

class InProcessClient : public kube::Client {
 public:
  explicit InProcessClient(local::ApiServer& server) : server_(server) {}

  Result<kube::Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override;
  // kNotSupported: what is moved by hand watches nothing.
  Status Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) override;
  Result<kube::Json> Create(const kube::ResourceKind& kind, const kube::Json& object, Deadline deadline) override;
  Result<kube::Json> Update(const kube::ResourceKind& kind, const kube::Json& object, Deadline deadline) override;
  Result<kube::Json> UpdateStatus(const kube::ResourceKind& kind, const kube::Json& object, Deadline deadline) override;
  Result<kube::Json> Apply(const kube::ResourceKind& kind, const kube::Json& object, const kube::ApplyOptions& options,
                           Deadline deadline) override;
  Result<kube::Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const kube::Json& patch,
                                Deadline deadline) override;
  Status Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                const kube::DeletePreconditions& preconditions, Deadline deadline) override;

 private:
  Result<kube::Json> Call(const char* method, Result<std::string> path, const std::string& query,
                          const kube::Json& body = nullptr, const char* content_type = "");

  local::ApiServer& server_;
};

}  // namespace holdfast::storagecluster
