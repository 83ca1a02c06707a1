#include "operator/local/api_server/resource_handler.h"

#include <fmt/format.h>

#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/json_receiver.h"
#include "operator/local/api_server/watch_stream.h"

namespace holdfast::local {
namespace {

// A document may hold bytes that are no UTF-8 (a binary log line in a status); they are answered as U+FFFD.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void SendJson(int status, Json json, http::ResponseWriter& writer, http::Headers headers = {}) {
  if (auto* receiver = dynamic_cast<JsonReceiver*>(&writer)) return receiver->SendJson(status, std::move(json));
  headers["Content-Type"] = "application/json";
  writer.Send(status, std::move(headers), Text(json));
}

std::string Escaped(const std::string& text) {
  return Json(text).dump();
}

http::Headers WarningHeaders(const std::vector<std::string>& warnings) {
  std::string value;
  for (const std::string& each : warnings) value += fmt::format("{}299 - {}", value.empty() ? "" : ", ", Escaped(each));
  return value.empty() ? http::Headers() : http::Headers{{"Warning", value}};
}

bool HasSubresource(const ResourceType& type, const std::string& name) {
  if (name.empty()) return true;
  if (name == "status") return type.status_subresource;
  if (name == "scale") return type.scale.has_value();
  return !type.custom && type.kind.kind == "Pod" && (name == "log" || name == "binding");
}

}  // namespace

void SendError(const ApiError& error, http::ResponseWriter& writer) {
  SendJson(error.code, error.ToStatus(), writer);
}

void ResourceHandler::SetPodLogs(ApiServer::PodLogs logs) {
  std::lock_guard lock(mutex_);
  pod_logs_ = std::move(logs);
}

void ResourceHandler::Serve(const http::ServerRequest& request, const Query& query, const ObjectPath& path,
                            http::ResponseWriter& writer) {
  const std::string& method = request.method;
  Exchange exchange{request, query, path, writer, PresentationOf(request, query)};
  if (!HasSubresource(*path.type, path.subresource)) return SendError(errors::UnknownResource(), writer);
  if (path.subresource == "scale") return Scale(exchange);
  if (path.subresource == "log") return PodLog(exchange);
  if (path.subresource == "binding") return Bind(exchange);
  bool collection = path.name.empty();
  if (method == "GET" && collection) return QueryFlag(query, "watch") ? Watch(exchange) : List(exchange);
  if (method == "GET") return Get(exchange);
  if (method == "POST" && collection) return Create(exchange);
  if (method == "PUT" && !collection) return Update(exchange);
  if (method == "PATCH" && !collection) return Patch(exchange);
  if (method == "DELETE" && path.subresource.empty()) return collection ? DeleteCollection(exchange) : Delete(exchange);
  SendError(errors::MethodNotAllowed(), writer);
}

void ResourceHandler::Get(const Exchange& exchange) {
  const ResourceType& type = *exchange.path.type;
  StoredObject object = store_.Get(type.Resource(), exchange.key());
  if (object == nullptr) return SendError(errors::NotFound(type.Resource(), exchange.path.name), exchange.writer);
  SendJson(200, lister_.Present(type, object, exchange.presentation), exchange.writer);
}

void ResourceHandler::List(const Exchange& exchange) {
  Answer<Json> list = lister_.List(exchange.path, exchange.query, exchange.presentation);
  if (!list.ok()) return SendError(list.error(), exchange.writer);
  SendJson(200, std::move(*list), exchange.writer);
}

void ResourceHandler::Watch(const Exchange& exchange) {
  Answer<Selection> selection = SelectionOf(exchange.query, exchange.path);
  if (!selection.ok()) return SendError(selection.error(), exchange.writer);
  Answer<std::optional<std::uint64_t>> after = ResourceVersionOf(exchange.query);
  if (!after.ok()) return SendError(after.error(), exchange.writer);

  ResourceTypePtr type = exchange.path.type;
  WatchRequest watch;
  watch.type = type;
  watch.selection = std::move(*selection);
  if (after->value_or(0) != 0) watch.after = *after;
  watch.initial_events = QueryFlag(exchange.query, "sendInitialEvents");
  watch.bookmarks = QueryFlag(exchange.query, "allowWatchBookmarks");
  watch.bookmark_interval = watch_.bookmark_interval;
  watch.timeout = watch_.default_timeout;
  if (std::string text = QueryValue(exchange.query, "timeoutSeconds"); !text.empty()) {
    Json seconds = Json::parse(text, nullptr, false);
    if (!seconds.is_number_unsigned())
      return SendError(errors::BadRequest("timeoutSeconds is not a number"), exchange.writer);
    auto asked = std::min<std::uint64_t>(seconds.get<std::uint64_t>(), 24 * 3600);
    watch.timeout = std::chrono::seconds(static_cast<std::int64_t>(asked));
  }
  watch.present = [&](const StoredObject& object) { return lister_.Present(*type, object, exchange.presentation); };
  watch.keep_going = [&] { return !stopping_ && registry_.FindResource(type->Resource()) != nullptr; };
  StreamWatch(store_, watch, exchange.writer);
}

void ResourceHandler::Finish(const Exchange& exchange, const char* verb, const Answer<WriteResult>& result) {
  writes_.Add(ClientNameOf(exchange.request), verb, result.ok() && result.value().changed);
  if (!result.ok()) return SendError(result.error(), exchange.writer);
  const WriteResult& written = result.value();
  SendJson(written.created ? 201 : 200, lister_.Present(*exchange.path.type, written.object, exchange.presentation),
           exchange.writer, WarningHeaders(written.warnings));
}

void ResourceHandler::Create(const Exchange& exchange) {
  auto create = [&]() -> Answer<WriteResult> {
    HOLDFAST_TRY(Json object, DecodeBody(exchange.request));
    HOLDFAST_TRY(WriteOptions options, WriteOptionsOf(exchange.request, exchange.query, exchange.path));
    // A namespaced kind posted to the collection of all namespaces goes where the object says.
    std::string ns = exchange.path.ns.empty() ? NamespaceOf(object) : exchange.path.ns;
    if (exchange.path.type->kind.namespaced && ns.empty()) {
      return errors::BadRequest("an empty namespace may not be set during creation");
    }
    return service_.Create(*exchange.path.type, ns, std::move(object), options);
  };
  Finish(exchange, "create", create());
}

void ResourceHandler::Update(const Exchange& exchange) {
  auto update = [&]() -> Answer<WriteResult> {
    HOLDFAST_TRY(Json object, DecodeBody(exchange.request));
    HOLDFAST_TRY(WriteOptions options, WriteOptionsOf(exchange.request, exchange.query, exchange.path));
    return service_.Update(*exchange.path.type, exchange.key(), std::move(object), options);
  };
  Finish(exchange, "update", update());
}

void ResourceHandler::Patch(const Exchange& exchange) {
  const char* verb = "patch";
  auto patch = [&]() -> Answer<WriteResult> {
    HOLDFAST_TRY(PatchKind kind, PatchKindOf(exchange.request, *exchange.path.type));
    if (kind == PatchKind::kApply) verb = "apply";
    HOLDFAST_TRY(Json body, DecodeBody(exchange.request));
    HOLDFAST_TRY(WriteOptions options, WriteOptionsOf(exchange.request, exchange.query, exchange.path));
    return service_.Patch(*exchange.path.type, exchange.key(), kind, body, options);
  };
  Answer<WriteResult> result = patch();
  Finish(exchange, verb, result);
}

void ResourceHandler::Delete(const Exchange& exchange) {
  const ResourceType& type = *exchange.path.type;
  auto remove = [&]() -> Answer<WriteResult> {
    HOLDFAST_TRY(DeleteOptions options, DeleteOptionsOf(exchange.request, exchange.query));
    return service_.Delete(type, exchange.key(), options);
  };
  Answer<WriteResult> result = remove();
  if (!result.ok() || !result->gone) return Finish(exchange, "delete", result);
  writes_.Add(ClientNameOf(exchange.request), "delete", true);
  Json details = {{"name", exchange.path.name}, {"kind", type.kind.plural}, {"uid", UidOf(*result->object)}};
  if (!type.kind.group.empty()) details["group"] = type.kind.group;
  SendJson(200,
           {{"kind", "Status"},
            {"apiVersion", "v1"},
            {"metadata", Json::object()},
            {"status", "Success"},
            {"details", std::move(details)}},
           exchange.writer);
}

void ResourceHandler::DeleteCollection(const Exchange& exchange) {
  const ResourceType& type = *exchange.path.type;
  Answer<DeleteOptions> options = DeleteOptionsOf(exchange.request, exchange.query);
  if (!options.ok()) return SendError(options.error(), exchange.writer);
  Answer<Selection> selection = SelectionOf(exchange.query, exchange.path);
  if (!selection.ok()) return SendError(selection.error(), exchange.writer);
  for (const auto& [key, object] : store_.List(type.Resource(), exchange.path.ns).objects) {
    if (!selection->Matches(*object)) continue;
    Answer<WriteResult> result = service_.Delete(type, key, *options);
    writes_.Add(ClientNameOf(exchange.request), "delete", result.ok() && result->changed);
    if (!result.ok() && result.error().code != 404) return SendError(result.error(), exchange.writer);
  }
  SendJson(200, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}},
           exchange.writer);
}

void ResourceHandler::Scale(const Exchange& exchange) {
  const ResourceType& type = *exchange.path.type;
  auto serve = [&]() -> Answer<Json> {
    if (exchange.request.method == "GET") return service_.GetScale(type, exchange.key());
    std::optional<PatchKind> kind;
    if (exchange.request.method == "PATCH") {
      HOLDFAST_TRY(kind, PatchKindOf(exchange.request, type));
      if (*kind == PatchKind::kApply) return errors::UnsupportedMediaType("scale takes JSON and merge patches");
    } else if (exchange.request.method != "PUT") {
      return errors::MethodNotAllowed();
    }
    HOLDFAST_TRY(Json body, DecodeBody(exchange.request));
    HOLDFAST_TRY(WriteOptions options, WriteOptionsOf(exchange.request, exchange.query, exchange.path));
    // The managers of replicas are those of the main resource.
    options.subresource.clear();
    std::uint64_t before = store_.revision();
    Answer<Json> scaled = service_.WriteScale(type, exchange.key(), kind, body, options);
    writes_.Add(ClientNameOf(exchange.request), "update", scaled.ok() && store_.revision() != before);
    return scaled;
  };
  Answer<Json> scale = serve();
  if (!scale.ok()) return SendError(scale.error(), exchange.writer);
  SendJson(200, std::move(*scale), exchange.writer);
}

void ResourceHandler::PodLog(const Exchange& exchange) {
  if (exchange.request.method != "GET") return SendError(errors::MethodNotAllowed(), exchange.writer);
  const ResourceType& type = *exchange.path.type;
  if (store_.Get(type.Resource(), exchange.key()) == nullptr) {
    return SendError(errors::NotFound(type.Resource(), exchange.path.name), exchange.writer);
  }
  ApiServer::PodLogs logs;
  {
    std::lock_guard lock(mutex_);
    logs = pod_logs_;
  }
  std::optional<std::string> text;
  if (logs) text = logs(exchange.path.ns, exchange.path.name);
  if (!text) return SendError(errors::BadRequest("the pod has no log"), exchange.writer);
  exchange.writer.Send(200, {{"Content-Type", "text/plain"}}, std::move(*text));
}

void ResourceHandler::Bind(const Exchange& exchange) {
  if (exchange.request.method != "POST") return SendError(errors::MethodNotAllowed(), exchange.writer);
  auto bind = [&]() -> Answer<WriteResult> {
    HOLDFAST_TRY(Json binding, DecodeBody(exchange.request));
    return service_.Bind(*exchange.path.type, exchange.key(), TextAt(binding, {"target", "name"}));
  };
  Answer<WriteResult> result = bind();
  writes_.Add(ClientNameOf(exchange.request), "create", result.ok() && result->changed);
  if (!result.ok()) return SendError(result.error(), exchange.writer);
  SendJson(201, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}},
           exchange.writer);
}

}  // namespace holdfast::local
