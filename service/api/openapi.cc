#include "service/api/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "service/api/accept.h"
#include "service/api/metrics.h"
#include "service/api/openapi_schemas.h"
#include "service/api/openapi_store_schemas.h"
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

// A document in each of its formats.
Json DocumentContent(std::string_view schema) {
  Json content;
  for (const auto format : {json::Format::kJson, json::Format::kCbor, json::Format::kMessagePack}) {
    content[std::string(MediaTypeOf(format))] = {{"schema", Reference(schema)}};
  }
  return content;
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
  if ((headers & kRange) != 0) {
    AddHeader(parameters, "Range", "One range of bytes; several, and what is malformed, count as absent.",
              R"(^bytes=([0-9]{1,9}-[0-9]{0,9}|-[0-9]{1,9})$)");
    AddHeader(parameters, "If-Range", "Range counts only while this ETag is the current one.",
              fmt::format("^{}$", kTag));
  }
  if ((headers & kTtl) != 0) {
    AddHeader(parameters, "Holdfast-TTL", "A duration, keep or none.", R"(^([1-9][0-9]{0,5}(ms|s|m|h)?|keep|none)$)");
  }
  if ((headers & kTransaction) != 0) {
    AddHeader(parameters, "Holdfast-Transaction", "The id of an open transaction that this is a part of.",
              R"(^[0-9a-f]{32}$)");
  }
  if ((headers & kIdempotencyKey) != 0) {
    AddHeader(parameters, "Idempotency-Key", "A repeat with the same key gives the first answer again.",
              R"(^[a-z0-9-]{8,64}$)");
  }
  if ((headers & kMetadata) != 0) {
    AddHeader(parameters, "Holdfast-Metadata", "A JSON object.", R"(^\{("[a-z]{1,20}":"[a-z0-9]{0,50}")?\}$)");
  }
  if ((headers & kFence) != 0) {
    AddHeader(parameters, "Holdfast-Fence", "<lock>=<token>: 412 once a newer token was issued.",
              R"(^[a-z0-9-]{1,40}=[1-9][0-9]{0,17}$)");
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
  if (route.kind == RouteKind::kCollection || route.kind == RouteKind::kDocument) {
    parameters.push_back(PathParameter("collection", "1 to 63 letters, digits, '.', '_' and '-'.",
                                       {{"type", "string"}, {"pattern", "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$"}}));
  }
  if (route.kind == RouteKind::kDocument) {
    parameters.push_back(PathParameter("id", "The rest of the path, percent-decoded once; UTF-8, as long as a key.",
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

Json DocumentBody(std::string_view schema, bool required) {
  return {{"required", required}, {"content", DocumentContent(schema)}};
}

std::optional<Json> RequestBody(BodyKind kind) {
  switch (kind) {
    case BodyKind::kNone:
      return std::nullopt;
    case BodyKind::kValue:
    case BodyKind::kCheckpoint:
      return Json{
          {"required", true},
          {"content", {{"application/octet-stream", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}}}};
    case BodyKind::kIncrement:
      return DocumentBody("Increment", false);
    case BodyKind::kBatch:
      return DocumentBody("Batch", true);
    case BodyKind::kQuota:
      return DocumentBody("NamespaceQuota", true);
    case BodyKind::kTransaction:
      return DocumentBody("Transaction", true);
    case BodyKind::kLease:
      return DocumentBody("LeaseRequest", true);
    case BodyKind::kLeaseExtension:
      return DocumentBody("LeaseExtension", true);
    case BodyKind::kBegin:
      return DocumentBody("Begin", false);
    case BodyKind::kNewId:
      return DocumentBody("NewId", false);
    case BodyKind::kCollection:
      return DocumentBody("CollectionIndexes", true);
    case BodyKind::kDocument:
      return DocumentBody("Document", true);
    case BodyKind::kMessage:
      return Json{{"required", false}, {"content", BytesContent()}};
  }
  return std::nullopt;
}

// Increment is the one action of a key that answers a document.
bool ReadsAccept(const Endpoint& endpoint) {
  return endpoint.AnswersJson() || endpoint.body == BodyKind::kIncrement;
}

// Problems come in the format that the client asked for, where it may ask; those found before that is read, in JSON.
Json ProblemContent(const Endpoint& endpoint) {
  Json content = ReadsAccept(endpoint) ? DocumentContent("Problem") : Json::object();
  content.erase(std::string(MediaTypeOf(json::Format::kJson)));
  content["application/problem+json"] = {{"schema", Reference("Problem")}};
  return content;
}

Json ResponseContent(const Endpoint& endpoint, std::string_view schema) {
  if (schema == "Problem") return ProblemContent(endpoint);
  if (schema == "bytes") return BytesContent();
  Json content;
  if (schema.starts_with("events")) {
    // What an event's data is stands in docs/api.md: OpenAPI 3.0 has no words for the events of a stream.
    content["text/event-stream"] = {{"schema", Json::object()}};
    const std::size_t comma = schema.find(',');
    if (comma != std::string_view::npos) {
      content[std::string(MediaTypeOf(json::Format::kJson))] = {{"schema", Reference(schema.substr(comma + 1))}};
    }
    return content;
  }
  content = DocumentContent(schema);
  if (endpoint.has_lines) content["application/x-ndjson"] = {{"schema", {{"type", "string"}}}};
  // POST of a key: which of the two it is depends on the action.
  if (endpoint.body == BodyKind::kIncrement) content.update(BytesContent());
  return content;
}

Json ResponseObject(const Endpoint& endpoint, std::string_view description, std::string_view schema) {
  Json response = {{"description", description}};
  if (!schema.empty() && endpoint.method != Method::kHead) response["content"] = ResponseContent(endpoint, schema);
  return response;
}

Json Responses(const Route& route, const Endpoint& endpoint) {
  Json responses = Json::object();
  for (const DocumentedResponse& row : endpoint.responses) {
    Json& response = responses[std::to_string(row.status)];
    response = ResponseObject(endpoint, row.description, row.schema);
    if (route.kind == RouteKind::kKey && row.status < 400) {
      response["headers"] = {
          {"ETag", {{"description", "The key's version, in quotes."}, {"schema", {{"type", "string"}}}}}};
    }
  }
  const auto add = [&](int status, std::string_view description) {
    const std::string code = std::to_string(status);
    if (!responses.contains(code)) responses[code] = ResponseObject(endpoint, description, "Problem");
  };
  if ((endpoint.headers & kIdempotencyKey) != 0) {
    for (auto& [status, response] : responses.items()) {
      if (!status.starts_with('2')) continue;
      response["headers"]["Holdfast-Replayed"] = {
          {"description", "true: this is the answer to an earlier request with the same Idempotency-Key."},
          {"schema", {{"type", "string"}, {"enum", {"true"}}}}};
    }
    add(409, "The first request with this Idempotency-Key is still running.");
    add(422, "The Idempotency-Key was used for another request.");
    add(507, "There is no room for the answer to a request with an Idempotency-Key; nothing was done.");
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
  for (const auto& [status, description] : common) add(status, description);
  return responses;
}

std::string LowerMethod(Method method) {
  std::string name(MethodName(method));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
}

Json Schemas() {
  Json schemas = Json::parse(kOpenApiSchemas);
  schemas.update(Json::parse(kOpenApiStoreSchemas));
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
