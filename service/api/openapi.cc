#include "service/api/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "service/api/metrics.h"
#include "service/api/openapi_schemas.h"
#include "service/api/problem.h"
#include "service/api/request_headers.h"
#include "service/api/route_table.h"

namespace holdfast::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kVersion = "1.0.0";

Json Reference(std::string_view schema) {
  return {{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

Json PathParameter(std::string_view name, std::string_view description, const Json& schema) {
  return {{"name", name}, {"in", "path"}, {"required", true}, {"description", description}, {"schema", schema}};
}

// What a value looks like on the wire: any bytes, of any type.
Json BytesContent() {
  return {{"*/*", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}};
}

Json QuerySchema(const QueryParameter& parameter, std::size_t max_page) {
  switch (parameter.type) {
    case ParameterType::kText:
      return {{"type", "string"}};
    case ParameterType::kInteger:
      return {{"type", "integer"}, {"minimum", 1}, {"maximum", max_page}};
    case ParameterType::kChoice:
      break;
  }
  Json choices = Json::array();
  for (std::string_view rest = parameter.choices; !rest.empty();) {
    const std::string_view choice = rest.substr(0, rest.find(','));
    choices.push_back(choice);
    rest.remove_prefix(std::min(rest.size(), choice.size() + 1));
  }
  return {{"type", "string"}, {"enum", choices}};
}

void AddHeader(Json* parameters, std::string_view name, std::string_view description, std::string_view pattern) {
  parameters->push_back({{"name", name},
                         {"in", "header"},
                         {"required", false},
                         {"description", description},
                         {"schema", {{"type", "string"}, {"pattern", pattern}}}});
}

void AddHeaders(unsigned headers, Method method, Json* parameters) {
  constexpr std::string_view kDuration = R"(^[1-9][0-9]{0,4}(ms|s)?$)";
  constexpr std::string_view kTag = R"("[\x21\x23-\x7e]+")";
  const bool reads = method == Method::kGet || method == Method::kHead;
  AddHeader(parameters, "Holdfast-Timeout", "How long the answer may take; 504 behind that.", kDuration);
  if ((headers & kIfMatch) != 0) {
    AddHeader(parameters, "If-Match", "One ETag, or * for any.", fmt::format(R"(^(\*|{})$)", kTag));
  }
  if ((headers & kIfNoneMatch) != 0) {
    AddHeader(parameters, "If-None-Match", reads ? "304 when it names the current version." : "* = create only.",
              reads ? fmt::format(R"(^(\*|{})$)", kTag) : std::string(R"(^\*$)"));
  }
  if ((headers & kTtl) != 0) {
    AddHeader(parameters, "Holdfast-TTL", "A duration, keep or none.", R"(^([1-9][0-9]{0,5}(ms|s|m|h)?|keep|none)$)");
  }
  if ((headers & kFence) != 0) {
    AddHeader(parameters, "Holdfast-Fence", "LOCK=TOKEN; 412 once a newer token of the lock was issued.",
              R"(^[a-z0-9_-]{1,40}=[1-9][0-9]{0,18}$)");
  }
  if ((headers & kTransaction) != 0) {
    AddHeader(parameters, "Holdfast-Transaction", "The id of an open transaction that this is a part of.",
              R"(^[0-9a-f]{32}$)");
  }
  if ((headers & kMetadata) != 0) {
    AddHeader(parameters, "Holdfast-Metadata", "A JSON object.", R"(^\{("[a-z]{1,20}":"[a-z0-9]{0,50}")?\}$)");
  }
  if ((headers & kTags) != 0) {
    AddHeader(parameters, "Holdfast-Tags", "Separated by commas.", R"(^[a-z0-9_-]{1,40}(,[a-z0-9_-]{1,40}){0,9}$)");
  }
}

std::size_t MaxKey(const storage::StoreRegistry& stores) {
  std::size_t max_key = 0;
  for (const storage::Store& store : stores.stores()) max_key = std::max(max_key, store.limits.max_key_bytes);
  return max_key;
}

Json Parameters(const Route& route, const Endpoint& endpoint, const storage::StoreRegistry& stores,
                std::size_t max_page) {
  Json parameters = Json::array();
  if (route.kind == RouteKind::kNamespace) {
    parameters.push_back(PathParameter("namespace", "1 to 63 of a-z, 0-9 and '-'.",
                                       {{"type", "string"}, {"pattern", "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}}));
  }
  if (route.OfStore()) {
    Json names = {"_default"};
    for (const storage::Store& store : stores.stores()) names.push_back(store.name);
    parameters.push_back(PathParameter("store", "A configured store; _default is the default one.",
                                       {{"type", "string"}, {"enum", names}}));
  }
  if (route.kind == RouteKind::kKey) {
    parameters.push_back(PathParameter("key",
                                       "The rest of the path, percent-decoded once; any bytes. The limit is in bytes.",
                                       {{"type", "string"}, {"minLength", 1}, {"maxLength", MaxKey(stores)}}));
  }
  if (route.kind == RouteKind::kName) {
    const std::size_t brace = route.pattern.rfind('{');
    parameters.push_back(PathParameter(route.pattern.substr(brace + 1, route.pattern.size() - brace - 2),
                                       "The rest of the path, percent-decoded once; any bytes, as many as a key.",
                                       {{"type", "string"}, {"minLength", 1}, {"maxLength", MaxKey(stores)}}));
  }
  for (const QueryParameter& parameter : endpoint.query) {
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"required", parameter.required},
                          {"description", parameter.description},
                          {"schema", QuerySchema(parameter, max_page)}});
  }
  AddHeaders(endpoint.headers, endpoint.method, &parameters);
  return parameters;
}

std::optional<Json> RequestBody(BodyKind kind) {
  switch (kind) {
    case BodyKind::kNone:
      return std::nullopt;
    case BodyKind::kValue:
      return Json{
          {"required", true},
          {"content", {{"application/octet-stream", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}}}};
    case BodyKind::kIncrement:
      return Json{{"required", false}, {"content", {{"application/json", {{"schema", Reference("Increment")}}}}}};
    case BodyKind::kBatch:
      return Json{{"required", true}, {"content", {{"application/json", {{"schema", Reference("Batch")}}}}}};
    case BodyKind::kQuota:
      return Json{{"required", true}, {"content", {{"application/json", {{"schema", Reference("NamespaceQuota")}}}}}};
    case BodyKind::kTransaction:
      return Json{{"required", true}, {"content", {{"application/json", {{"schema", Reference("Transaction")}}}}}};
    case BodyKind::kLease:
      return Json{{"required", true}, {"content", {{"application/json", {{"schema", Reference("LeaseRequest")}}}}}};
    case BodyKind::kLeaseExtension:
      return Json{{"required", true}, {"content", {{"application/json", {{"schema", Reference("LeaseExtension")}}}}}};
    case BodyKind::kBegin:
      return Json{{"required", false}, {"content", {{"application/json", {{"schema", Reference("Begin")}}}}}};
    case BodyKind::kMessage:
      return Json{{"required", false}, {"content", BytesContent()}};
  }
  return std::nullopt;
}

Json ResponseObject(std::string_view description, std::string_view schema, bool is_key, int status) {
  Json response = {{"description", description}};
  if (schema == "Problem") {
    response["content"] = {{"application/problem+json", {{"schema", Reference(schema)}}}};
  } else if (schema == "bytes") {
    response["content"] = BytesContent();
  } else if (schema.starts_with("events")) {
    response["content"] = {{"text/event-stream", {{"schema", {{"type", "string"}}}}}};
    const std::size_t comma = schema.find(',');
    if (comma != std::string_view::npos) {
      response["content"]["application/json"] = {{"schema", Reference(schema.substr(comma + 1))}};
    }
  } else if (is_key && !schema.empty()) {
    // POST of a key: which of the two it is depends on the action.
    response["content"] = BytesContent();
    response["content"]["application/json"] = {{"schema", Reference(schema)}};
  } else if (!schema.empty()) {
    response["content"] = {{"application/json", {{"schema", Reference(schema)}}}};
  }
  if (is_key && status < 400) {
    response["headers"] = {
        {"ETag", {{"description", "The key's version, in quotes."}, {"schema", {{"type", "string"}}}}}};
  }
  return response;
}

Json Responses(const Route& route, const Endpoint& endpoint) {
  Json responses = Json::object();
  const bool head = endpoint.method == Method::kHead;
  for (const DocumentedResponse& row : endpoint.responses) {
    responses[std::to_string(row.status)] =
        ResponseObject(row.description, head ? "" : row.schema, route.kind == RouteKind::kKey, row.status);
  }
  // Every endpoint may answer these.
  const std::pair<int, std::string_view> common[] = {
      {400, "The request is not valid."},
      {401, "The caller is not known."},
      {403, "No rule allows the caller this."},
      {404, "There is no such store or key."},
      {408, "The request did not arrive in time."},
      {413, "The body is larger than this request takes."},
      {414, "The request line is too long."},
      {429, "The namespace has used up its rate; Retry-After says when to come back."},
      {431, "The headers are too many or too long."},
      {500, "The service failed, or stored data is damaged."},
      {501, "Something that was asked for is not supported."},
      {503, "The store is not available; Retry-After says when to come back."},
      {504, "Not done in time, or the outcome is not known: see code."},
  };
  for (const auto& [status, description] : common) {
    const std::string code = std::to_string(status);
    if (!responses.contains(code)) {
      responses[code] = ResponseObject(description, head ? "" : "Problem", false, status);
    }
  }
  return responses;
}

std::string LowerMethod(Method method) {
  std::string name(MethodName(method));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
}

Json Schemas() {
  Json schemas = Json::parse(kOpenApiSchemas);
  Json codes = Json::array();
  for (const ProblemKind& kind : ProblemKinds()) codes.push_back(kind.code);
  schemas["Problem"]["properties"]["code"]["enum"] = codes;
  schemas["Failure"]["properties"]["code"]["enum"] = codes;
  return schemas;
}

}  // namespace

std::string OpenApiDocument(const storage::StoreRegistry& stores, const ApiOptions& options) {
  Json document = {{"openapi", "3.0.3"},
                   {"info",
                    {{"title", "Holdfast storage API"},
                     {"version", kVersion},
                     {"description", "One storage API over whatever backend a store has. See docs/api.md."}}},
                   {"paths", Json::object()},
                   {"components", {{"schemas", Schemas()}}}};
  for (const Route& route : Routes()) {
    Json& path = document["paths"][std::string(route.pattern)];
    for (const Endpoint& endpoint : route.endpoints) {
      Json operation = {{"operationId", endpoint.operation_id},
                        {"summary", endpoint.summary},
                        {"parameters", Parameters(route, endpoint, stores, options.max_page_entries)}};
      if (auto body = RequestBody(endpoint.body)) operation["requestBody"] = std::move(*body);
      operation["responses"] = Responses(route, endpoint);
      path[LowerMethod(endpoint.method)] = std::move(operation);
    }
  }
  return document.dump(2);
}

}  // namespace holdfast::api
