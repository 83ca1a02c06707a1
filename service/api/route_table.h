// The API's one table of routes. Dispatch, 405 with Allow, the labels of the request metrics and the OpenAPI document
// all come from it, so none of them can disagree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/http/http_message.h"
#include "service/tenancy/verb.h"

namespace holdfast::api {

class Exchange;

enum class ParameterType { kText, kInteger, kChoice };

struct QueryParameter {
  std::string_view name;
  ParameterType type = ParameterType::kText;
  std::string_view description;
  std::string_view choices = {};  // kChoice: "asc,desc"
  bool required = false;
};

enum class BodyKind {
  kNone,
  kValue,
  kIncrement,
  kBatch,
  kTransaction,
  kQuota,
  kLease,
  kLeaseExtension,
  kMessage,
  kCollection,
  kDocument,
  kBegin,
  kNewId,
  kCheckpoint  // taken in pieces, as it arrives
};

struct DocumentedResponse {
  int status;
  std::string_view description;
  // Of components/schemas; "bytes" = a raw value, empty = no body, "events" = server-sent events, "events,Name" = those
  // or that schema, as the query asks.
  std::string_view schema;
};

// One method of one route.
struct Endpoint {
  std::string_view pattern;  // of its route
  Method method;
  tenancy::Access access;  // what its caller must be allowed
  std::string_view operation_id;
  std::string_view summary;
  void (*handle)(std::unique_ptr<Exchange> exchange);
  unsigned headers;  // HeaderSet
  BodyKind body;
  std::span<const QueryParameter> query;
  std::span<const DocumentedResponse> responses;  // beside the ones every endpoint has
  bool has_lines = false;                         // its items also come as application/x-ndjson

  // Whether every ok answer is JSON rather than a value's own bytes or events.
  bool AnswersJson() const;
};

enum class RouteKind {
  kFixed,       // the pattern is the path
  kStore,       // /v1/stores/{store} and the tail
  kKey,         // the same, and the key is everything behind the tail
  kNamespace,   // the tail, and the namespace is the last segment
  kName,        // of the store, and it is the name of a lock, an election or a channel
  kCollection,  // of the store; the tail, the name of a collection, and `end`
  kDocument,    // the same, and the document's id is everything behind `end`
};

struct Route {
  RouteKind kind;
  std::string_view pattern;
  std::string_view tail;  // behind {store}
  std::string_view allow;
  std::span<const Endpoint> endpoints;
  std::string_view end = {};  // behind {collection}

  bool OfStore() const { return kind != RouteKind::kFixed && kind != RouteKind::kNamespace; }
  // nullptr when the route does not take that method.
  const Endpoint* Find(Method method) const;
};

std::span<const Route> Routes();
std::span<const Endpoint> Endpoints();
// Its position in Endpoints().
std::size_t IndexOf(const Endpoint& endpoint);

struct RouteMatch {
  const Route* route = nullptr;
  std::string_view store;            // as sent, not decoded
  std::string_view key;              // as sent, not decoded; of kNamespace its namespace
  std::string_view collection = {};  // as sent, not decoded
};
std::optional<RouteMatch> MatchRoute(std::string_view path);

}  // namespace holdfast::api
