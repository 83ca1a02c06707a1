// What a wrapper around a Kubernetes client derives from: every call goes on to the next one.
#pragma once

#include <memory>
#include <string>

#include "operator/kube/client.h"

namespace holdfast::faults {

using kube::Json;

class ForwardingClient : public kube::Client {
 public:
  explicit ForwardingClient(std::shared_ptr<kube::Client> next) : next_(std::move(next)) {}

  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override;
  Status Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) override;
  Result<Json> Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override;
  Result<Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                          Deadline deadline) override;
  Status Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                const kube::DeletePreconditions& preconditions, Deadline deadline) override;

 protected:
  kube::Client& next() const { return *next_; }

 private:
  const std::shared_ptr<kube::Client> next_;
};

}  // namespace holdfast::faults
