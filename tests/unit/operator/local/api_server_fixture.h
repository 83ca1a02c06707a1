// An API server in process, with a small custom kind, spoken to as a client would but without sockets.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "operator/local/api_server/api_server.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

inline Json KettleDefinition() {
  return Json::parse(R"json({
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "kettles.test.dev"},
    "spec": {
      "group": "test.dev", "scope": "Namespaced",
      "names": {"kind": "Kettle", "plural": "kettles", "shortNames": ["ket"]},
      "versions": [{
        "name": "v1", "served": true, "storage": true,
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.cups", "statusReplicasPath": ".status.cups"}},
        "additionalPrinterColumns": [
          {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
          {"name": "Cups", "type": "integer", "jsonPath": ".spec.cups"}],
        "schema": {"openAPIV3Schema": {
          "type": "object", "required": ["spec"],
          "properties": {
            "spec": {"type": "object", "properties": {
              "cups": {"type": "integer", "minimum": 0, "maximum": 9, "default": 2},
              "tea": {"type": "string", "enum": ["green", "black"]},
              "label": {"type": "string", "pattern": "^([a-z]|-[a-z])*$"},
              "colours": {"type": "object", "additionalProperties": {"type": "string"}},
              "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "required": ["name"],
                                  "properties": {"name": {"type": "string"}, "size": {"type": "integer"},
                                                 "note": {"type": "string"}}}}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}})json");
}

class ApiServerTest : public testing::Test {
 protected:
  using Reply = ApiServer::Reply;

  explicit ApiServerTest(ApiServerOptions options = {}) : api_(std::move(options)) {
    Reply made = api_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", KettleDefinition());
    EXPECT_EQ(made.status, 201) << made.body;
  }

  static std::string KettlePath(const std::string& name = "") {
    return "/apis/test.dev/v1/namespaces/default/kettles" + (name.empty() ? "" : "/" + name);
  }
  static std::string MapPath(const std::string& name = "") {
    return "/api/v1/namespaces/default/configmaps" + (name.empty() ? "" : "/" + name);
  }
  static Json Kettle(const std::string& name, Json spec) {
    return {
        {"apiVersion", "test.dev/v1"}, {"kind", "Kettle"}, {"metadata", {{"name", name}}}, {"spec", std::move(spec)}};
  }
  static Json Map(const std::string& name, Json data = Json::object()) {
    return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}, {"data", std::move(data)}};
  }
  Reply Apply(const std::string& path, const Json& object, const std::string& manager, bool force = false) {
    return api_.Call("PATCH", path + "?fieldManager=" + manager + (force ? "&force=true" : ""), object,
                     "application/apply-patch+yaml");
  }
  Reply MergePatch(const std::string& path, const Json& patch) {
    return api_.Call("PATCH", path, patch, "application/merge-patch+json");
  }
  Reply Get(const std::string& path) { return api_.Call("GET", path); }
  Reply Delete(const std::string& path, Json options = nullptr) { return api_.Call("DELETE", path, options); }
  Reply Create(const std::string& path, const Json& object) { return api_.Call("POST", path, object); }

  static std::string RevisionOf(const Reply& reply) { return TextAt(reply.body, {"metadata", "resourceVersion"}); }
  static std::string MessageOf(const Reply& reply) { return TextAt(reply.body, {"message"}); }
  static std::int64_t Generation(const Reply& reply) { return IntegerAt(reply.body, {"metadata", "generation"}); }

  // Polls until `path` answers 404.
  bool Vanishes(const std::string& path) {
    auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (std::chrono::steady_clock::now() < end) {
      std::uint64_t seen = api_.revision();
      if (Get(path).status == 404) return true;
      api_.WaitBeyond(seen, std::chrono::milliseconds(20));
    }
    return false;
  }

  ApiServer api_;
};

}  // namespace holdfast::local
