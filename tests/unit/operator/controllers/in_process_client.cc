#include "tests/unit/operator/controllers/in_process_client.h"

#include <string_view>

#include "operator/kube/api_error.h"
#include "operator/kube/resource_path.h"

namespace holdfast::storagecluster {

using kube::Json;

Result<Json> InProcessClient::Call(const char* method, Result<std::string> path, const std::string& query,
                                   const Json& body, const char* content_type) {
  if (!path.ok()) return std::move(path).error();
  local::ApiServer::Reply reply = server_.Call(method, *path + query, body, content_type, "holdfast-operator");
  if (reply.ok()) return std::move(reply.body);
  return kube::ErrorFromResponse(reply.status, reply.body.dump(), std::string_view(method) != "GET");
}

Result<Json> InProcessClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline) {
  return Call("GET", kube::ObjectPath(kind, key), "");
}

Result<kube::ObjectList> InProcessClient::List(const kube::ResourceKind& kind, const std::string& ns,
                                               const kube::ListOptions& options, Deadline) {
  std::string query;
  if (!options.label_selector.empty()) query = kube::QueryString({{"labelSelector", options.label_selector}});
  HOLDFAST_ASSIGN_OR_RETURN(Json body, Call("GET", kube::CollectionPath(kind, ns), query));
  kube::ObjectList list;
  for (Json& item : body.at("items")) {
    item["apiVersion"] = kind.api_version();
    item["kind"] = kind.kind;
    list.items.push_back(std::move(item));
  }
  return list;
}

Status InProcessClient::Watch(const kube::ResourceKind&, const std::string&, const kube::WatchOptions&, std::stop_token,
                              const std::function<bool(kube::WatchEvent)>&) {
  return Error(ErrorCode::kNotSupported, "nothing is watched here");
}

Result<Json> InProcessClient::Create(const kube::ResourceKind& kind, const Json& object, Deadline) {
  return Call("POST", kube::CollectionPath(kind, kube::KeyOf(object).ns), "", object);
}

Result<Json> InProcessClient::Update(const kube::ResourceKind& kind, const Json& object, Deadline) {
  return Call("PUT", kube::ObjectPath(kind, kube::KeyOf(object)), "", object);
}

Result<Json> InProcessClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline) {
  return Call("PUT", kube::ObjectPath(kind, kube::KeyOf(object), "status"), "", object);
}

Result<Json> InProcessClient::Apply(const kube::ResourceKind& kind, const Json& object,
                                    const kube::ApplyOptions& options, Deadline) {
  const std::string query =
      kube::QueryString({{"fieldManager", options.field_manager}, {"force", options.force ? "true" : "false"}});
  return Call("PATCH", kube::ObjectPath(kind, kube::KeyOf(object)), query, object, "application/apply-patch+yaml");
}

Result<Json> InProcessClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                         Deadline) {
  return Call("PATCH", kube::ObjectPath(kind, key), "", patch, "application/merge-patch+json");
}

Status InProcessClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                               const kube::DeletePreconditions& preconditions, Deadline) {
  Json body = {{"propagationPolicy", "Background"},
               {"preconditions", {{"uid", preconditions.uid}, {"resourceVersion", preconditions.resource_version}}}};
  if (preconditions.grace) body["gracePeriodSeconds"] = preconditions.grace->count();
  auto deleted = Call("DELETE", kube::ObjectPath(kind, key), "", body);
  return deleted.ok() ? Status::Ok() : Status(std::move(deleted).error());
}

}  // namespace holdfast::storagecluster
