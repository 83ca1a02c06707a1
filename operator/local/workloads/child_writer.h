// How controllers write what they have planned: failures that come of something having changed meanwhile are left to
// that change, the rest is worth a line in the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class ChildWriter {
 public:
  // `agent` is the field manager; a literal.
  ChildWriter(ApiServer& api, std::string_view agent) : api_(api), agent_(agent) {}

  // `collection` is a path: "/api/v1/namespaces/default/pods".
  void Create(const std::string& collection, const Json& object) const;
  // The object as it was when it was looked at, or nothing is deleted.
  void Delete(const std::string& collection, const Json& object) const;
  void DeleteNamed(const std::string& collection, const std::string& name, const std::vector<Json>& among) const;
  // Does nothing when the object has this status already.
  void SetStatus(const std::string& collection, const Json& object, const Json& status) const;
  void SetReplicas(const std::string& collection, const Json& object, std::int64_t replicas) const;

 private:
  void Patch(const std::string& path, const Json& object, Json change) const;
  static void Report(const char* what, const std::string& name, const ApiServer::Reply& reply);

  ApiServer& api_;
  const std::string_view agent_;
};

std::string PodsOf(const std::string& ns);
// Those of `list` (a list object) in the namespace that `owner` controls.
std::vector<Json> ControlledBy(const Json& list, const Json& owner);
// The earlier of two times to look again.
std::optional<Timestamp> Sooner(const std::optional<Timestamp>& a, const std::optional<Timestamp>& b);

}  // namespace holdfast::local
