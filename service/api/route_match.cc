// Which row of the route table a path is.
#include "service/api/route_table.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kStorePrefix = "/v1/stores/";

// A name of a collection holds no '/', so it ends at the first.
std::optional<RouteMatch> MatchCollection(const Route& route, std::string_view behind) {
  if (route.kind != RouteKind::kCollection && route.kind != RouteKind::kDocument) return std::nullopt;
  if (!behind.starts_with(route.tail)) return std::nullopt;
  behind.remove_prefix(route.tail.size());
  const std::string_view collection = behind.substr(0, behind.find('/'));
  const std::string_view rest = behind.substr(collection.size());
  if (route.kind == RouteKind::kDocument ? !rest.starts_with(route.end) : rest != route.end) return std::nullopt;
  return RouteMatch{&route, {}, rest.substr(route.end.size()), collection};
}

}  // namespace

std::optional<RouteMatch> MatchRoute(std::string_view path) {
  if (!path.starts_with(kStorePrefix)) {
    for (const Route& route : Routes()) {
      if (route.kind == RouteKind::kFixed && route.pattern == path) return RouteMatch{&route, {}, {}};
      if (route.kind == RouteKind::kNamespace && path.starts_with(route.tail)) {
        return RouteMatch{&route, {}, path.substr(route.tail.size())};
      }
    }
    return std::nullopt;
  }
  const std::string_view rest = path.substr(kStorePrefix.size());
  const std::string_view store = rest.substr(0, rest.find('/'));
  const std::string_view behind = rest.substr(store.size());
  if (store.empty()) return std::nullopt;
  for (const Route& route : Routes()) {
    if ((route.kind == RouteKind::kKey || route.kind == RouteKind::kName) && behind.starts_with(route.tail)) {
      return RouteMatch{&route, store, behind.substr(route.tail.size())};
    }
    if (auto match = MatchCollection(route, behind)) {
      match->store = store;
      return match;
    }
    if (route.kind == RouteKind::kStore && behind == route.tail) return RouteMatch{&route, store, {}};
  }
  return std::nullopt;
}

}  // namespace holdfast::api
