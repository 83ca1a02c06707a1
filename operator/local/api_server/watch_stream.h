// Serving one watch: what is there already where that was asked for, then every change in order, bookmarks in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/http/http_listener.h"
#include "operator/local/api_server/object_store.h"
#include "operator/local/api_server/resource_registry.h"
#include "operator/local/api_server/selector.h"

namespace holdfast::local {

struct WatchRequest {
  ResourceTypePtr type;
  Selection selection;
  std::optional<std::uint64_t> after;  // nothing: begin with what is there
  bool initial_events = false;         // sendInitialEvents=true: what is there, then a bookmark that says so
  bool bookmarks = false;
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds bookmark_interval{0};
  // How an object stands in an event: as it is, or as a Table of one row.
  std::function<Json(const StoredObject&)> present;
  // False ends the stream: the server stops, or the kind is served no more.
  std::function<bool()> keep_going;
};

// Blocks until the client goes away, the timeout passes or the position is older than the history (an ERROR event with
// a 410 Status ends the stream then).
void StreamWatch(const ObjectStore& store, const WatchRequest& request, http::ResponseWriter& writer);

}  // namespace holdfast::local
