#include "operator/local/manifests.h"

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "base/config/yaml.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

constexpr const char* kAgent = "holdfast-local";

Result<std::string> ReadText(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path)) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("cannot read {}", path));
  }
  text << file.rdbuf();
  return text.str();
}

std::string NamespaceFor(const Manifest& manifest) {
  std::string ns = NamespaceOf(manifest.object);
  return ns.empty() ? "default" : ns;
}

Status Apply(ApiServer& api, const Manifest& manifest, bool dry_run) {
  HOLDFAST_ASSIGN_OR_RETURN(std::string path, PathOf(api, manifest));
  path += fmt::format("?fieldManager={}&fieldValidation=Strict&force=true{}", kAgent, dry_run ? "&dryRun=All" : "");
  ApiServer::Reply reply = api.Call("PATCH", path, manifest.object, "application/apply-patch+yaml", kAgent);
  if (reply.ok()) return Status::Ok();
  return Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", manifest.source, TextAt(reply.body, {"message"})));
}

Status MakeNamespace(ApiServer& api, const std::string& name) {
  if (api.Call("GET", "/api/v1/namespaces/" + name).ok()) return Status::Ok();
  Json object = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}};
  ApiServer::Reply reply = api.Call("POST", "/api/v1/namespaces", object, "", kAgent);
  if (reply.ok() || reply.status == 409) return Status::Ok();
  return Error(ErrorCode::kInvalidArgument, TextAt(reply.body, {"message"}));
}

}  // namespace

Result<std::vector<Manifest>> ParseManifests(const std::string& text, const std::string& source) {
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Json> documents, config::ParseYamlDocuments(text, source));
  std::vector<Manifest> manifests;
  for (Json& each : documents) {
    for (const char* field : {"apiVersion", "kind"}) {
      if (TextAt(each, {field}).empty()) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{}: a document has no {}", source, field));
      }
    }
    if (NameOf(each).empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{}: the {} has no metadata.name", source, TextAt(each, {"kind"})));
    }
    manifests.push_back({source, std::move(each)});
  }
  return manifests;
}

Result<std::vector<Manifest>> ReadManifests(const std::vector<std::string>& paths) {
  std::vector<Manifest> all;
  for (const std::string& path : paths) {
    HOLDFAST_ASSIGN_OR_RETURN(std::string text, ReadText(path));
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<Manifest> some, ParseManifests(text, path == "-" ? "standard input" : path));
    for (Manifest& each : some) all.push_back(std::move(each));
  }
  if (all.empty()) return Error(ErrorCode::kInvalidArgument, "no manifest given; use -f <file>");
  return all;
}

Result<std::string> PathOf(ApiServer& api, const Manifest& manifest) {
  std::string version = TextAt(manifest.object, {"apiVersion"});
  std::string kind = TextAt(manifest.object, {"kind"});
  std::string base = (version.find('/') == std::string::npos ? "/api/" : "/apis/") + version;
  ApiServer::Reply resources = api.Call("GET", base);
  for (const Json& each : ArrayAt(resources.body, {"resources"})) {
    std::string plural = TextAt(each, {"name"});
    if (TextAt(each, {"kind"}) != kind || plural.find('/') != std::string::npos) continue;
    std::string home = BoolAt(each, {"namespaced"}) ? "/namespaces/" + NamespaceFor(manifest) : "";
    return fmt::format("{}{}/{}/{}", base, home, plural, NameOf(manifest.object));
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{}: the kind {} of {} is not known here", manifest.source, kind, version));
}

Status ApplyManifests(ApiServer& api, const std::vector<Manifest>& manifests) {
  for (const Manifest& each : manifests) {
    HOLDFAST_RETURN_IF_ERROR(MakeNamespace(api, NamespaceFor(each)));
  }
  for (bool dry_run : {true, false}) {
    for (const Manifest& each : manifests) {
      HOLDFAST_RETURN_IF_ERROR(Apply(api, each, dry_run));
    }
  }
  return Status::Ok();
}

}  // namespace holdfast::local
