#include "operator/kube/rest_client.h"

#include <thread>
#include <utility>

#include "base/http/http_client.h"
#include "base/http/retry_after.h"
#include "operator/kube/api_error.h"
#include "operator/kube/resource_path.h"
#include "operator/kube/server_url.h"
#include "operator/kube/watch_event.h"

namespace holdfast::kube {
namespace {

using http::ClientRequest;
using http::ClientResponse;
using Query = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMaxPages = 10'000;  // of one list; a server that never ends its list is broken

// Keeps a sentence like "cannot patch statefulsets.apps prod/main: <the server's words>".
Error Cannot(Error error, std::string_view verb, const ResourceKind& kind, const ObjectKey& key) {
  return std::move(error).WithContext("cannot " + std::string(verb) + " " + Describe(kind, key));
}

Result<std::string> Serialize(const ResourceKind& kind, const Json& object) {
  try {
    if (object.is_object() && object.contains("apiVersion") && object.contains("kind")) return object.dump();
    Json complete = object;
    complete["apiVersion"] = kind.api_version();
    complete["kind"] = kind.kind;
    return complete.dump();
  } catch (const Json::exception& exception) {  // no object, or text that is not UTF-8
    return Error(ErrorCode::kInvalidArgument, std::string("the object is no JSON document: ") + exception.what());
  }
}

class RestClient final : public Client {
 public:
  RestClient(RestClientOptions options, std::string host, metrics::Registry* registry)
      : options_(std::move(options)), host_(std::move(host)), registry_(registry), http_(HttpOptions(options_)) {}

  Result<Json> Get(const ResourceKind& kind, const ObjectKey& key, Deadline deadline) override {
    const Call call{"get", kind, key, false};
    auto path = ObjectPath(kind, key);
    if (!path.ok()) return Cannot(std::move(path).error(), call.verb, kind, key);
    return ExchangeJson(call, Request("GET", *path), deadline);
  }

  Result<ObjectList> List(const ResourceKind& kind, const std::string& ns, const ListOptions& options,
                          Deadline deadline) override {
    bool expired_between_pages = false;
    const std::size_t page_size = options.limit > 0 ? options.limit : options_.page_size;
    auto list = ListPages(kind, ns, options, page_size, deadline, &expired_between_pages);
    if (!list.ok() && expired_between_pages) list = ListPages(kind, ns, options, 0, deadline, &expired_between_pages);
    if (!list.ok()) return Cannot(std::move(list).error(), "list", kind, {ns, ""});
    return list;
  }

  Status Watch(const ResourceKind& kind, const std::string& ns, const WatchOptions& options, std::stop_token stop,
               const std::function<bool(WatchEvent)>& on_event) override {
    Status status = WatchOnce(kind, ns, options, std::move(stop), on_event);
    if (!status.ok()) return Cannot(std::move(status).error(), "watch", kind, {ns, ""});
    return status;
  }

  Result<Json> Create(const ResourceKind& kind, const Json& object, Deadline deadline) override {
    const Call call{"create", kind, KeyOf(object), true};
    if (kind.namespaced && call.key.ns.empty()) {
      return Cannot(Error(ErrorCode::kInvalidArgument, "the namespace is missing"), call.verb, kind, call.key);
    }
    auto path = CollectionPath(kind, call.key.ns);
    if (!path.ok()) return Cannot(std::move(path).error(), call.verb, kind, call.key);
    return Send(call, "POST", *path, "application/json", Serialize(kind, object), deadline);
  }

  Result<Json> Update(const ResourceKind& kind, const Json& object, Deadline deadline) override {
    return Write({"update", kind, KeyOf(object), true}, "PUT", {}, {}, "application/json", Serialize(kind, object),
                 deadline);
  }

  Result<Json> UpdateStatus(const ResourceKind& kind, const Json& object, Deadline deadline) override {
    return Write({"update the status of", kind, KeyOf(object), true}, "PUT", "status", {}, "application/json",
                 Serialize(kind, object), deadline);
  }

  Result<Json> Apply(const ResourceKind& kind, const Json& object, const ApplyOptions& options,
                     Deadline deadline) override {
    Query query{{"fieldManager", options.field_manager}, {"force", options.force ? "true" : "false"}};
    if (options.dry_run) query.emplace_back("dryRun", "All");
    // JSON is YAML; the media type is the only one every server version takes for an apply.
    return Write({"apply", kind, KeyOf(object), true}, "PATCH", {}, query, "application/apply-patch+yaml",
                 Serialize(kind, object), deadline);
  }

  Result<Json> MergePatch(const ResourceKind& kind, const ObjectKey& key, const Json& patch,
                          Deadline deadline) override {
    Result<std::string> body = std::string();
    try {
      body = patch.dump();
    } catch (const Json::exception& exception) {
      body = Error(ErrorCode::kInvalidArgument, std::string("the patch is no JSON document: ") + exception.what());
    }
    return Write({"patch", kind, key, true}, "PATCH", {}, {}, "application/merge-patch+json", std::move(body),
                 deadline);
  }

  Status Delete(const ResourceKind& kind, const ObjectKey& key, const DeletePreconditions& preconditions,
                Deadline deadline) override {
    const Call call{"delete", kind, key, true};
    if (preconditions.uid.empty() || preconditions.resource_version.empty()) {
      return Cannot(
          Error(ErrorCode::kInvalidArgument, "a delete names the uid and the resourceVersion of what it means"),
          call.verb, kind, key);
    }
    if (preconditions.grace && preconditions.grace->count() < 1) {
      return Cannot(Error(ErrorCode::kInvalidArgument, "a delete leaves at least a second of grace"), call.verb, kind,
                    key);
    }
    Json body = {{"apiVersion", "v1"},
                 {"kind", "DeleteOptions"},
                 {"propagationPolicy", "Background"},
                 {"preconditions", {{"uid", preconditions.uid}, {"resourceVersion", preconditions.resource_version}}}};
    if (preconditions.grace) body["gracePeriodSeconds"] = preconditions.grace->count();
    auto answer = Write(call, "DELETE", {}, {}, "application/json", body.dump(), deadline);
    return answer.ok() ? Status::Ok() : Status(std::move(answer).error());
  }

 private:
  // What is being done to what: for messages, and for what a lost answer means.
  struct Call {
    std::string_view verb;
    const ResourceKind& kind;
    ObjectKey key;
    bool write;
  };

  static http::ClientOptions HttpOptions(const RestClientOptions& options) {
    http::ClientOptions http;
    http.base_url = options.credentials.base_url;
    http.ca_pem = options.credentials.ca_pem;
    http.client_certificate_pem = options.credentials.client_certificate_pem;
    http.client_key_pem = options.credentials.client_key_pem;
    http.insecure_skip_tls_verify = options.credentials.insecure_skip_tls_verify;
    return http;
  }

  ClientRequest Request(std::string method, const std::string& path, const Query& query = {}) const {
    ClientRequest request;
    request.method = std::move(method);
    request.target = options_.credentials.path_prefix + path + QueryString(query);
    request.headers = {{"Accept", "application/json"}, {"User-Agent", options_.user_agent}};
    return request;
  }

  // Sets the header and returns the token it holds.
  std::string Authorize(ClientRequest& request) const {
    if (options_.credentials.token == nullptr) return {};
    std::string token = options_.credentials.token->Token();
    if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
    return token;
  }

  bool RenewToken(const std::string& refused) const {
    return options_.credentials.token != nullptr && options_.credentials.token->Renew(refused);
  }

  void Count(const std::string& method, const std::string& code) const {
    if (registry_ == nullptr) return;
    registry_
        ->GetCounter("rest_client_requests_total",
                     "Number of HTTP requests, partitioned by status code, method, and host.",
                     {{"code", code}, {"method", method}, {"host", host_}})
        .Increment();
  }

  // The 2xx answer, or what the server said instead.
  Result<ClientResponse> Exchange(ClientRequest request, bool write, Deadline deadline) {
    bool token_renewed = false;
    bool waited = false;
    for (;;) {
      if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before it was sent");
      const std::string token = Authorize(request);
      auto response = http_.Send(request, deadline);
      Count(request.method, response.ok() ? std::to_string(response->status) : "<error>");
      if (!response.ok()) return ErrorFromTransport(std::move(response).error(), write);
      if (response->status >= 200 && response->status < 300) return response;
      if (response->status == 401 && !token_renewed && RenewToken(token)) {
        token_renewed = true;
        continue;
      }
      if (response->status == 429 && !write && !waited) {
        const auto pause = http::RetryAfter(response->headers);
        if (pause && *pause <= options_.longest_retry_after && *pause < deadline.Remaining()) {
          waited = true;
          std::this_thread::sleep_for(*pause);
          continue;
        }
      }
      return ErrorFromResponse(response->status, response->body, write);
    }
  }

  Result<Json> ExchangeJson(const Call& call, ClientRequest request, Deadline deadline) {
    auto response = Exchange(std::move(request), call.write, deadline);
    if (!response.ok()) return Cannot(std::move(response).error(), call.verb, call.kind, call.key);
    Json object = Json::parse(response->body, nullptr, false);
    if (!object.is_object()) {
      const ErrorCode code = call.write ? ErrorCode::kOutcomeUnknown : ErrorCode::kUnavailable;
      return Cannot(Error(code, "the answer is no JSON object"), call.verb, call.kind, call.key);
    }
    return object;
  }

  Result<Json> Send(const Call& call, std::string method, const std::string& target, std::string content_type,
                    Result<std::string> body, Deadline deadline, const Query& query = {}) {
    if (!body.ok()) return Cannot(std::move(body).error(), call.verb, call.kind, call.key);
    ClientRequest request = Request(std::move(method), target, query);
    request.headers["Content-Type"] = std::move(content_type);
    request.body = std::move(body).value();
    return ExchangeJson(call, std::move(request), deadline);
  }

  Result<Json> Write(const Call& call, std::string method, std::string_view subresource, const Query& query,
                     std::string content_type, Result<std::string> body, Deadline deadline) {
    auto path = ObjectPath(call.kind, call.key, subresource);
    if (!path.ok()) return Cannot(std::move(path).error(), call.verb, call.kind, call.key);
    return Send(call, std::move(method), *path, std::move(content_type), std::move(body), deadline, query);
  }

  // page_size 0 = everything in one answer.
  Result<ObjectList> ListPages(const ResourceKind& kind, const std::string& ns, const ListOptions& options,
                               std::size_t page_size, Deadline deadline, bool* expired_between_pages) {
    *expired_between_pages = false;
    HOLDFAST_ASSIGN_OR_RETURN(const std::string path, CollectionPath(kind, ns));
    ObjectList list;
    std::string next;
    for (std::size_t page = 0; page < kMaxPages; ++page) {
      Query query;
      if (!options.label_selector.empty()) query.emplace_back("labelSelector", options.label_selector);
      if (!options.field_selector.empty()) query.emplace_back("fieldSelector", options.field_selector);
      if (page_size > 0) query.emplace_back("limit", std::to_string(page_size));
      if (!next.empty()) {
        query.emplace_back("continue", next);  // goes on in the first page's snapshot; a version must not be named
      } else if (!options.resource_version.empty()) {
        query.emplace_back("resourceVersion", options.resource_version);
        // Without this, a limit would turn "not older than" into "exactly".
        if (options.resource_version != "0") query.emplace_back("resourceVersionMatch", "NotOlderThan");
      }
      auto response = Exchange(Request("GET", path, query), false, deadline);
      if (!response.ok()) {
        *expired_between_pages = !next.empty() && response.error().code() == ErrorCode::kFailedPrecondition;
        return std::move(response).error();
      }
      Json body = Json::parse(response->body, nullptr, false);
      response->body = {};  // the text of a large page is not kept beside the objects made of it
      if (!body.is_object()) return Error(ErrorCode::kUnavailable, "the answer is no JSON object");
      if (page == 0) list.resource_version = ResourceVersionOf(body);
      if (const auto items = body.find("items"); items != body.end() && items->is_array()) {
        list.items.reserve(list.items.size() + items->size());
        for (Json& item : *items) {
          if (!item.is_object()) return Error(ErrorCode::kUnavailable, "the answer's items are no JSON objects");
          item["apiVersion"] = kind.api_version();
          item["kind"] = kind.kind;
          list.items.push_back(std::move(item));
        }
      }
      next = StringAt(body, "/metadata/continue");
      if (next.empty()) return list;
    }
    return Error(ErrorCode::kResourceExhausted, "the list has more than " + std::to_string(kMaxPages) + " pages");
  }

  Status WatchOnce(const ResourceKind& kind, const std::string& ns, const WatchOptions& options, std::stop_token stop,
                   const std::function<bool(WatchEvent)>& on_event) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string path, CollectionPath(kind, ns));
    Query query{{"watch", "true"},
                {"allowWatchBookmarks", "true"},
                {"timeoutSeconds", std::to_string(ServerTimeout(options).count())}};
    if (!options.resource_version.empty()) query.emplace_back("resourceVersion", options.resource_version);
    if (!options.label_selector.empty()) query.emplace_back("labelSelector", options.label_selector);
    ClientRequest request = Request("GET", path, query);
    const http::HttpClient::StreamOptions stream{options.idle_timeout, options_.max_event_bytes};
    for (bool token_renewed = false;; token_renewed = true) {
      const std::string token = Authorize(request);
      Status content;  // what on_line found wrong
      auto end = http_.Stream(request, stream, stop, [&](std::string_view line) {
        if (line.empty()) return true;
        auto event = ParseWatchEvent(kind, line);
        if (!event.ok()) {
          content = std::move(event).error();
          return false;
        }
        return on_event(std::move(event).value());
      });
      Count(request.method, end.ok() ? std::to_string(end->status) : "<error>");
      if (!content.ok()) return content;
      if (!end.ok()) return StreamError(std::move(end).error());
      if (end->status == 200) return {};
      if (end->status == 401 && !token_renewed && RenewToken(token)) continue;
      return ErrorFromResponse(end->status, end->error_body, false);
    }
  }

  // A server sends bookmarks only when there is a newer version to tell: about a kind that nobody changes it says
  // nothing for many minutes. It is asked to end the watch before such a silence could be taken for a dead connection.
  static std::chrono::seconds ServerTimeout(const WatchOptions& options) {
    const auto before_idle = std::chrono::floor<std::chrono::seconds>(options.idle_timeout * 2 / 3);
    return std::max(std::chrono::seconds{1}, std::min(options.timeout, before_idle));
  }

  Error StreamError(Error error) const {
    if (error.code() != ErrorCode::kResourceExhausted) return ErrorFromTransport(std::move(error), false);
    return {ErrorCode::kCorruption,
            "an event is longer than max_event_bytes (" + std::to_string(options_.max_event_bytes) + ")"};
  }

  const RestClientOptions options_;
  const std::string host_;
  metrics::Registry* const registry_;
  http::HttpClient http_;
};

}  // namespace

Result<std::shared_ptr<Client>> MakeRestClient(RestClientOptions options, metrics::Registry* registry) {
  HOLDFAST_ASSIGN_OR_RETURN(ServerUrl url, ParseServerUrl(options.credentials.base_url));
  return std::shared_ptr<Client>(std::make_shared<RestClient>(std::move(options), std::move(url.host), registry));
}

}  // namespace holdfast::kube
