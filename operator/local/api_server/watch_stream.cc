#include "operator/local/api_server/watch_stream.h"

#include <fmt/format.h>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

// How long a quiet stream waits before it looks whether its client is still there.
constexpr std::chrono::milliseconds kPoll{50};

class Stream {
 public:
  Stream(const ObjectStore& store, const WatchRequest& request, http::ResponseWriter& writer)
      : store_(store), request_(request), writer_(writer) {}

  void Run() {
    if (!writer_.Begin(200, {{"Content-Type", "application/json"}})) return;
    if (!Begin()) return;
    auto end = std::chrono::steady_clock::now() + request_.timeout;
    auto next_bookmark = std::chrono::steady_clock::now() + request_.bookmark_interval;
    while (!writer_.Gone() && request_.keep_going()) {
      if (!SendEvents()) return;
      auto now = std::chrono::steady_clock::now();
      bool over = now >= end;
      if (request_.bookmarks && (over || now >= next_bookmark)) {
        if (!SendBookmark(false)) return;
        next_bookmark = now + request_.bookmark_interval;
      }
      if (over) return;
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now);
      store_.WaitBeyond(position_, std::min(kPoll, left + std::chrono::milliseconds(1)));
    }
  }

 private:
  bool Begin() {
    if (request_.after && !request_.initial_events) {
      position_ = *request_.after;
      return true;
    }
    StoreSnapshot snapshot = store_.List(request_.type->Resource(), request_.selection.ns);
    for (const auto& [key, object] : snapshot.objects) {
      if (request_.selection.Matches(*object) && !Send("ADDED", request_.present(object))) return false;
    }
    position_ = snapshot.revision;
    return !request_.initial_events || !request_.bookmarks || SendBookmark(true);
  }

  bool SendEvents() {
    ObjectStore::Events found = store_.EventsAfter(request_.type->Resource(), position_);
    if (found.expired) {
      ApiError error = errors::Expired(fmt::format("too old resource version: {} ({})", position_, found.oldest));
      Send("ERROR", error.ToStatus());
      return false;
    }
    for (const StoreEvent& event : found.events) {
      if (!SendEvent(event)) return false;
    }
    position_ = std::max(position_, found.revision);
    return true;
  }

  // What an event is to this watch depends on whether the object was and is among those selected.
  bool SendEvent(const StoreEvent& event) {
    bool was = event.before != nullptr && request_.selection.Matches(*event.before);
    bool is = !event.removed && request_.selection.Matches(*event.after);
    if (is) return Send(was ? "MODIFIED" : "ADDED", request_.present(event.after));
    if (!was) return true;
    if (event.removed) return Send("DELETED", request_.present(event.after));
    Json last = *event.before;
    last["metadata"]["resourceVersion"] = std::to_string(event.revision);
    return Send("DELETED", request_.present(std::make_shared<const Json>(std::move(last))));
  }

  bool SendBookmark(bool initial_end) {
    Json metadata = {{"resourceVersion", std::to_string(position_)}, {"creationTimestamp", nullptr}};
    if (initial_end) metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    return Send("BOOKMARK", {{"kind", request_.type->kind.kind},
                             {"apiVersion", request_.type->kind.api_version()},
                             {"metadata", std::move(metadata)}});
  }

  bool Send(const char* type, const Json& object) {
    return writer_.Write(Json{{"type", type}, {"object", object}}.dump(-1, ' ', false, Json::error_handler_t::replace) +
                         "\n");
  }

  const ObjectStore& store_;
  const WatchRequest& request_;
  http::ResponseWriter& writer_;
  std::uint64_t position_ = 0;  // every change up to here was sent
};

}  // namespace

void StreamWatch(const ObjectStore& store, const WatchRequest& request, http::ResponseWriter& writer) {
  Stream(store, request, writer).Run();
}

}  // namespace holdfast::local
