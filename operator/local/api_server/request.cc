#include "operator/local/api_server/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/config/yaml.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

std::string MediaType(const http::ServerRequest& request) {
  std::string type = HeaderOf(request, "Content-Type");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

Answer<Json> ParseYaml(const std::string& body) {
  auto documents = config::ParseYamlDocuments(body, "request body");
  if (!documents.ok()) return errors::BadRequest(documents.error().message());
  if (documents->size() != 1) return errors::BadRequest("the body of the request must hold exactly one YAML document");
  return std::move(documents->front());
}

std::optional<std::string> DecodeQueryPart(std::string_view part) {
  std::string plain(part);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return http::PercentDecode(plain);
}

}  // namespace

Answer<Target> ParseTarget(std::string_view target) {
  Target parsed;
  std::size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, question);
  for (std::size_t start = 0; start < path.size();) {
    std::size_t slash = std::min(path.find('/', start), path.size());
    if (slash > start) {
      auto segment = http::PercentDecode(path.substr(start, slash - start));
      if (!segment) return errors::BadRequest("the path of the request holds a malformed escape");
      parsed.path.push_back(std::move(*segment));
    }
    start = slash + 1;
  }
  std::string_view query = question < target.size() ? target.substr(question + 1) : std::string_view();
  for (std::size_t start = 0; start < query.size();) {
    std::size_t end = std::min(query.find('&', start), query.size());
    std::string_view pair = query.substr(start, end - start);
    std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = DecodeQueryPart(pair.substr(0, equals));
    auto value = DecodeQueryPart(equals < pair.size() ? pair.substr(equals + 1) : std::string_view());
    if (!name || !value) return errors::BadRequest("the query of the request holds a malformed escape");
    parsed.query.insert_or_assign(std::move(*name), std::move(*value));
    start = end + 1;
  }
  return parsed;
}

std::optional<Answer<ObjectPath>> ParseObjectPath(const ResourceRegistry& registry,
                                                  const std::vector<std::string>& path) {
  std::string group;
  std::string version;
  std::size_t at = 0;
  if (path.size() >= 3 && path[0] == "api") {
    version = path[1];
    at = 2;
  } else if (path.size() >= 4 && path[0] == "apis") {
    group = path[1];
    version = path[2];
    at = 3;
  }
  if (at == 0 || !registry.ServesVersion(group, version)) return std::nullopt;
  ObjectPath found;
  // "namespaces/x" and its subresources are the Namespace itself; "namespaces/x/pods" is what lives in it.
  bool inside =
      path[at] == "namespaces" && path.size() >= at + 3 && path[at + 2] != "status" && path[at + 2] != "finalize";
  if (inside) {
    found.ns = path[at + 1];
    at += 2;
  }
  found.type = registry.Find(group, version, path[at]);
  if (path.size() > at + 1) found.name = path[at + 1];
  if (path.size() > at + 2) found.subresource = path[at + 2];
  bool misplaced = found.type != nullptr &&
                   (inside ? !found.type->kind.namespaced : found.type->kind.namespaced && !found.name.empty());
  if (found.type == nullptr || misplaced || path.size() > at + 3) return Answer<ObjectPath>(errors::UnknownResource());
  return Answer<ObjectPath>(std::move(found));
}

std::string QueryValue(const Query& query, const std::string& name) {
  auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

bool QueryFlag(const Query& query, const std::string& name) {
  auto found = query.find(name);
  return found != query.end() && found->second != "false" && found->second != "0";
}

std::string HeaderOf(const http::ServerRequest& request, const std::string& name) {
  auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

std::string ClientNameOf(const http::ServerRequest& request) {
  std::string agent = HeaderOf(request, "User-Agent");
  agent = agent.substr(0, agent.find_first_of("/ "));
  return agent.empty() ? "unknown" : agent;
}

Answer<Json> DecodeBody(const http::ServerRequest& request) {
  std::string type = MediaType(request);
  if (type == "application/yaml" || type == "application/apply-patch+yaml") return ParseYaml(request.body);
  bool json = type.empty() || type == "application/json" || type == "*/*" ||
              (request.method == "PATCH" && type.ends_with("+json"));
  if (!json) {
    // Some `kubectl create` subcommands send nothing else.
    const char* hint = type.find("protobuf") == std::string::npos ? "" : "; use kubectl apply -f with a manifest";
    return errors::UnsupportedMediaType(
        fmt::format("the body of the request was in an unknown format - accepted media types include: "
                    "application/json, application/yaml{}",
                    hint));
  }
  Json body = Json::parse(request.body, nullptr, false);
  if (body.is_discarded()) {
    return errors::BadRequest("couldn't get version/kind; json parse error: the body of the request is not valid JSON");
  }
  return body;
}

Answer<PatchKind> PatchKindOf(const http::ServerRequest& request, const ResourceType& type) {
  std::string media = MediaType(request);
  if (media == "application/merge-patch+json") return PatchKind::kMerge;
  if (media == "application/json-patch+json") return PatchKind::kJson;
  if (media == "application/apply-patch+yaml") return PatchKind::kApply;
  if (media == "application/strategic-merge-patch+json" && !type.custom) return PatchKind::kStrategic;
  return errors::UnsupportedMediaType(fmt::format(
      "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
      "application/merge-patch+json, {}application/apply-patch+yaml",
      type.custom ? "" : "application/strategic-merge-patch+json, "));
}

Answer<WriteOptions> WriteOptionsOf(const http::ServerRequest& request, const Query& query, const ObjectPath& path) {
  WriteOptions options;
  options.subresource = path.subresource;
  options.field_manager = QueryValue(query, "fieldManager");
  options.force = QueryFlag(query, "force");
  if (auto dry_run = query.find("dryRun"); dry_run != query.end()) {
    if (dry_run->second != "All") {
      return errors::Invalid("CreateOptions.meta.k8s.io", "",
                             {{"FieldValueNotSupported", "dryRun",
                               fmt::format("Unsupported value: \"{}\": supported values: \"All\"", dry_run->second)}});
    }
    options.dry_run = true;
  }
  std::string validation = QueryValue(query, "fieldValidation");
  if (validation == "Ignore") options.field_validation = FieldValidation::kIgnore;
  if (validation == "Strict") options.field_validation = FieldValidation::kStrict;
  if (options.field_manager.empty() && MediaType(request) == "application/apply-patch+yaml") {
    return errors::Invalid("PatchOptions.meta.k8s.io", "", {Required("fieldManager", "is required for apply patch")});
  }
  if (options.field_manager.empty()) options.field_manager = ClientNameOf(request);
  return options;
}

Answer<DeleteOptions> DeleteOptionsOf(const http::ServerRequest& request, const Query& query) {
  DeleteOptions options;
  Json body = Json::object();
  if (!request.body.empty()) {
    HOLDFAST_TRY(body, DecodeBody(request));
  }
  options.uid = TextAt(body, {"preconditions", "uid"});
  options.resource_version = TextAt(body, {"preconditions", "resourceVersion"});
  options.propagation_policy = TextAt(body, {"propagationPolicy"});
  if (options.propagation_policy.empty()) options.propagation_policy = QueryValue(query, "propagationPolicy");
  if (BoolAt(body, {"orphanDependents"}) || QueryFlag(query, "orphanDependents")) options.propagation_policy = "Orphan";
  options.dry_run = !ArrayAt(body, {"dryRun"}).empty() || query.contains("dryRun");
  if (FindField(body, {"gracePeriodSeconds"}) != nullptr) {
    options.grace_period_seconds = IntegerAt(body, {"gracePeriodSeconds"});
  } else if (std::string text = QueryValue(query, "gracePeriodSeconds"); !text.empty()) {
    std::int64_t seconds = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) {
      return errors::BadRequest("gracePeriodSeconds is not a number");
    }
    options.grace_period_seconds = seconds;
  }
  return options;
}

}  // namespace holdfast::local
