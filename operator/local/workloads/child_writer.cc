#include "operator/local/workloads/child_writer.h"

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/workloads/pod_facts.h"

namespace holdfast::local {

void ChildWriter::Report(const char* what, const std::string& name, const ApiServer::Reply& reply) {
  if (reply.ok() || reply.status == 404 || reply.status == 409) return;
  log::Warn(what, {{"object", name}, {"error", TextAt(reply.body, {"message"})}});
}

void ChildWriter::Create(const std::string& collection, const Json& object) const {
  Report("an object could not be created", NameOf(object), api_.Call("POST", collection, object, "", agent_));
}

void ChildWriter::Delete(const std::string& collection, const Json& object) const {
  Json options = {{"apiVersion", "v1"},
                  {"kind", "DeleteOptions"},
                  {"preconditions", {{"uid", UidOf(object)}}},
                  {"propagationPolicy", "Background"}};
  Report("an object could not be deleted", NameOf(object),
         api_.Call("DELETE", collection + "/" + NameOf(object), options, "", agent_));
}

void ChildWriter::DeleteNamed(const std::string& collection, const std::string& name,
                              const std::vector<Json>& among) const {
  auto found = std::find_if(among.begin(), among.end(), [&](const Json& each) { return NameOf(each) == name; });
  if (found != among.end()) Delete(collection, *found);
}

void ChildWriter::SetStatus(const std::string& collection, const Json& object, const Json& status) const {
  if (ObjectAt(object, {"status"}) == status) return;
  // A merge patch takes away only what it says is null.
  Json change = status;
  for (const auto& [field, value] : ObjectAt(object, {"status"}).items()) {
    if (!change.contains(field)) change[field] = nullptr;
  }
  Patch(collection + "/" + NameOf(object) + "/status", object, {{"status", std::move(change)}});
}

void ChildWriter::SetReplicas(const std::string& collection, const Json& object, std::int64_t replicas) const {
  Patch(collection + "/" + NameOf(object), object, {{"spec", {{"replicas", replicas}}}});
}

void ChildWriter::Patch(const std::string& path, const Json& object, Json change) const {
  change["metadata"] = {{"resourceVersion", TextAt(object, {"metadata", "resourceVersion"})}};
  Report("an object could not be written", NameOf(object),
         api_.Call("PATCH", path, change, "application/merge-patch+json", agent_));
}

std::string PodsOf(const std::string& ns) {
  return "/api/v1/namespaces/" + ns + "/pods";
}

std::vector<Json> ControlledBy(const Json& list, const Json& owner) {
  std::vector<Json> own;
  for (const Json& each : ArrayAt(list, {"items"})) {
    if (NamespaceOf(each) == NamespaceOf(owner) && IsControlledBy(each, UidOf(owner))) own.push_back(each);
  }
  return own;
}

std::optional<Timestamp> Sooner(const std::optional<Timestamp>& a, const std::optional<Timestamp>& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace holdfast::local
