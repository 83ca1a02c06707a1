#include "base/http/admin_listener.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace holdfast::http {
namespace {

void SendText(ResponseWriter& response, int status, std::string text) {
  response.Send(status, {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}},
                std::move(text));
}

void SendPage(ResponseWriter& response, const StaticPage& page) {
  response.Send(200,
                {{"Content-Type", page.content_type},
                 {"Cache-Control", "no-cache"},
                 {"Content-Security-Policy",
                  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                 {"X-Content-Type-Options", "nosniff"},
                 {"Referrer-Policy", "no-referrer"}},
                page.body);
}

void Answer(const ServerRequest& request, const AdminCallbacks& callbacks, const metrics::Registry& registry,
            const std::vector<StaticPage>& pages, ResponseWriter& response) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (request.method != "GET" && request.method != "HEAD") {
    response.Send(405, {{"Allow", "GET, HEAD"}, {"Content-Type", "text/plain"}},
                  "only GET and HEAD are answered here\n");
  } else if (path == "/livez") {
    SendText(response, 200, "ok\n");
  } else if (path == "/readyz") {
    const Status ready = callbacks.ready();
    SendText(response, ready.ok() ? 200 : 503, ready.ok() ? "ok\n" : ready.error().ToString() + "\n");
  } else if (path == "/healthz") {
    Health health = callbacks.health();
    response.Send(health.healthy ? 200 : 503, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
                  std::move(health.json));
  } else if (path == "/metrics") {
    response.Send(200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, registry.Serialize());
  } else if (const auto page =
                 std::find_if(pages.begin(), pages.end(), [&](const StaticPage& each) { return each.path == path; });
             page != pages.end()) {
    SendPage(response, *page);
  } else {
    SendText(response, 404, "here are /livez, /readyz, /healthz and /metrics\n");
  }
}

}  // namespace

Result<std::unique_ptr<AdminListener>> AdminListener::Start(const ListenerOptions& options, AdminCallbacks callbacks,
                                                            const metrics::Registry& registry,
                                                            std::vector<StaticPage> pages) {
  auto listener = HttpListener::Start(options, [callbacks = std::move(callbacks), &registry, pages = std::move(pages)](
                                                   const ServerRequest& request, ResponseWriter& response) {
    Answer(request, callbacks, registry, pages, response);
  });
  if (!listener.ok()) return std::move(listener).error().WithContext("admin listener");
  return std::unique_ptr<AdminListener>(new AdminListener(std::move(listener).value()));
}

}  // namespace holdfast::http
