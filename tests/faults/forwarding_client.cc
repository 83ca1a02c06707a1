#include "tests/faults/forwarding_client.h"

namespace holdfast::faults {

Result<Json> ForwardingClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) {
  return next().Get(kind, key, deadline);
}

Result<kube::ObjectList> ForwardingClient::List(const kube::ResourceKind& kind, const std::string& ns,
                                                const kube::ListOptions& options, Deadline deadline) {
  return next().List(kind, ns, options, deadline);
}

Status ForwardingClient::Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
                               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) {
  return next().Watch(kind, ns, options, std::move(stop), on_event);
}

Result<Json> ForwardingClient::Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return next().Create(kind, object, deadline);
}

Result<Json> ForwardingClient::Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return next().Update(kind, object, deadline);
}

Result<Json> ForwardingClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return next().UpdateStatus(kind, object, deadline);
}

Result<Json> ForwardingClient::Apply(const kube::ResourceKind& kind, const Json& object,
                                     const kube::ApplyOptions& options, Deadline deadline) {
  return next().Apply(kind, object, options, deadline);
}

Result<Json> ForwardingClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                          Deadline deadline) {
  return next().MergePatch(kind, key, patch, deadline);
}

Status ForwardingClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                                const kube::DeletePreconditions& preconditions, Deadline deadline) {
  return next().Delete(kind, key, preconditions, deadline);
}

}  // namespace holdfast::faults
