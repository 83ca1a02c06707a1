#include "operator/local/api_server/api_server.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "operator/local/api_server/discovery.h"
#include "operator/local/api_server/garbage_collector.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/json_receiver.h"
#include "operator/local/api_server/resource_handler.h"
#include "operator/local/api_server/write_counter.h"

namespace holdfast::local {
namespace {

class BufferedResponse : public http::ResponseWriter, public JsonReceiver {
 public:
  void Send(int status, http::Headers headers, std::string body) override {
    status_ = status;
    json_ = headers["Content-Type"] == "application/json";
    body_ = std::move(body);
  }
  void SendJson(int status, Json body) override {
    status_ = status;
    document_ = std::move(body);
  }
  bool Begin(int status, http::Headers) override {
    status_ = status;
    return true;
  }
  bool Write(std::string_view data) override {
    body_ += data;
    return true;
  }
  // Nobody reads on: a stream asked for in process ends with what is there.
  bool Gone() const override { return status_ != 0; }

  ApiServer::Reply Take() {
    if (document_) return {status_, std::move(*document_)};
    if (!json_) return {status_, Json(std::move(body_))};
    Json body = Json::parse(body_, nullptr, false);
    return {status_, body.is_discarded() ? Json() : std::move(body)};
  }

 private:
  int status_ = 0;
  bool json_ = false;
  std::string body_;
  std::optional<Json> document_;
};

// Of a Host header: "127.0.0.1:8001", "[::1]:8001", "localhost".
bool IsLoopbackHost(std::string host) {
  if (host.empty()) return true;
  if (host.front() == '[') return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || (numeric && std::count(host.begin(), host.end(), '.') == 3);
}

}  // namespace

class ApiServer::Impl {
 public:
  explicit Impl(ApiServerOptions options)
      : options_(std::move(options)),
        clock_(options_.clock == nullptr ? SystemClock() : *options_.clock),
        store_(options_.watch_history),
        service_(store_, registry_, clock_, options_.service_address),
        resources_(store_, registry_, service_, writes_, clock_, {options_.bookmark_interval, options_.watch_timeout}) {
    for (const char* name : {"default", "kube-system"}) MakeNamespace(name);
    collector_ = std::make_unique<GarbageCollector>(store_, registry_, service_, clock_);
  }

  ~Impl() {
    resources_.Stop();
    listener_.reset();
    collector_.reset();
  }

  Status Listen() {
    http::ListenerOptions options;
    options.address = options_.address;
    options.port = options_.port;
    options.max_connections = options_.max_connections;
    options.max_body_bytes = options_.max_body_bytes;
    HOLDFAST_ASSIGN_OR_RETURN(listener_, http::HttpListener::Start(options, [this](const http::ServerRequest& request,
                                                                                   http::ResponseWriter& writer) {
                                Filter(request, writer);
                              }));
    return Status::Ok();
  }

  void Filter(const http::ServerRequest& request, http::ResponseWriter& writer) {
    if (!IsLoopbackHost(HeaderOf(request, "Host")) || !HeaderOf(request, "Origin").empty()) {
      SendError(errors::Forbidden("requests", "", "this server serves programs on its own machine, not web pages"),
                writer);
      return;
    }
    std::optional<Interference> interference;
    if (options_.filter) interference = options_.filter(request);
    if (!interference) {
      Serve(request, writer);
    } else if (interference->kind == Interference::Kind::kAnswer) {
      SendError(interference->error, writer);
    } else {
      if (interference->kind == Interference::Kind::kDropAfter) {
        BufferedResponse unheard;
        Serve(request, unheard);
      }
      // A response that begins and throws is how the listener is told to break the connection.
      (void)writer.Begin(200, {{"Content-Type", "application/json"}});
      throw std::runtime_error("the request filter dropped the connection");
    }
  }

  void Serve(const http::ServerRequest& request, http::ResponseWriter& writer) {
    Answer<Target> target = ParseTarget(request.target);
    if (!target.ok()) return SendError(target.error(), writer);
    if (auto document = DiscoveryDocument(registry_, target->path)) {
      if (request.method != "GET") return SendError(errors::MethodNotAllowed(), writer);
      return writer.Send(200, {{"Content-Type", document->content_type}}, std::move(document->body));
    }
    auto path = ParseObjectPath(registry_, target->path);
    if (!path) return writer.Send(404, {{"Content-Type", "text/plain; charset=utf-8"}}, "404 page not found\n");
    if (!path->ok()) return SendError(path->error(), writer);
    try {
      resources_.Serve(request, target->query, **path, writer);
    } catch (const Json::exception& error) {
      // A document of a shape that no rule here foresaw: the client's mistake, never the end of the server.
      SendError(errors::BadRequest(error.what()), writer);
    }
  }

  Reply Call(std::string_view method, std::string_view target, const Json& body, std::string_view content_type,
             std::string_view user_agent) {
    http::ServerRequest request;
    request.method = method;
    request.target = target;
    request.headers["User-Agent"] = user_agent;
    request.headers["Content-Type"] = content_type.empty() ? "application/json" : content_type;
    if (!body.is_null()) request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    BufferedResponse response;
    Serve(request, response);
    return response.Take();
  }

  const ObjectStore& store() const { return store_; }
  const WriteCounter& writes() const { return writes_; }
  ResourceHandler& resources() { return resources_; }
  std::uint16_t port() const { return listener_ == nullptr ? 0 : listener_->port(); }

 private:
  void MakeNamespace(const char* name) {
    ResourceTypePtr type = registry_.Find("", "v1", "namespaces");
    Json object = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}};
    WriteOptions options;
    options.field_manager = "holdfast-local";
    auto made = service_.Create(*type, "", std::move(object), options);
    if (!made.ok()) throw std::logic_error(made.error().message);
  }

  const ApiServerOptions options_;
  const Clock& clock_;
  ResourceRegistry registry_;
  ObjectStore store_;
  ObjectService service_;
  WriteCounter writes_;
  ResourceHandler resources_;
  std::unique_ptr<GarbageCollector> collector_;
  std::unique_ptr<http::HttpListener> listener_;
};

ApiServer::ApiServer(ApiServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
ApiServer::~ApiServer() = default;

Status ApiServer::Listen() {
  return impl_->Listen();
}
std::uint16_t ApiServer::port() const {
  return impl_->port();
}

void ApiServer::Serve(const http::ServerRequest& request, http::ResponseWriter& writer) {
  impl_->Serve(request, writer);
}

ApiServer::Reply ApiServer::Call(std::string_view method, std::string_view target, const Json& body,
                                 std::string_view content_type, std::string_view user_agent) {
  return impl_->Call(method, target, body, content_type, user_agent);
}

std::uint64_t ApiServer::revision() const {
  return impl_->store().revision();
}

std::uint64_t ApiServer::WaitBeyond(std::uint64_t revision, std::chrono::milliseconds timeout) const {
  return impl_->store().WaitBeyond(revision, timeout);
}

std::map<std::string, WriteCount> ApiServer::Writes(std::string_view user_agent) const {
  return impl_->writes().Of(user_agent);
}

void ApiServer::SetPodLogs(PodLogs logs) {
  impl_->resources().SetPodLogs(std::move(logs));
}

}  // namespace holdfast::local
