// An API server that says what the test tells it to, over real HTTP: one answer per request, in order, and what came
// is kept for the test to look at.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>

#include "base/http/http_listener.h"
#include "operator/kube/object.h"
#include "operator/kube/rest_client.h"

namespace holdfast::kube {

using ScriptedAnswer = std::function<void(const http::ServerRequest&, http::ResponseWriter&)>;

inline ScriptedAnswer Reply(int status, const std::string& body, http::Headers headers = {}) {
  headers.emplace("Content-Type", "application/json");
  return [status, body, headers](const http::ServerRequest&, http::ResponseWriter& writer) {
    writer.Send(status, headers, body);
  };
}

inline ScriptedAnswer Reply(int status, const Json& body, const http::Headers& headers = {}) {
  return Reply(status, body.dump(), headers);
}

inline ScriptedAnswer Refuse(int status, const std::string& reason, const std::string& message,
                             const http::Headers& headers = {}) {
  return Reply(status, Json{{"kind", "Status"}, {"code", status}, {"reason", reason}, {"message", message}}, headers);
}

// How a stream of lines ends.
enum class StreamEnding {
  kClose,   // properly, as a server does after timeoutSeconds
  kBreak,   // in the middle: no end of the body ever comes
  kSilent,  // not at all: the connection stays and nothing follows
};

inline ScriptedAnswer Stream(std::vector<std::string> chunks, StreamEnding ending) {
  return [chunks = std::move(chunks), ending](const http::ServerRequest&, http::ResponseWriter& writer) {
    if (!writer.Begin(200, {{"Content-Type", "application/json"}})) return;
    for (const std::string& chunk : chunks) {
      if (!writer.Write(chunk)) return;
    }
    if (ending == StreamEnding::kBreak) throw std::runtime_error("the stream breaks here");
    while (ending == StreamEnding::kSilent && !writer.Gone()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  };
}

inline std::string EventLine(const std::string& type, const Json& object) {
  return Json{{"type", type}, {"object", object}}.dump() + "\n";
}

class ScriptedServer {
 public:
  ScriptedServer() { Start(0); }

  // The answer to the next request nothing was scripted for yet.
  void Then(ScriptedAnswer answer) {
    const std::lock_guard lock(mutex_);
    script_.push_back(std::move(answer));
  }
  // The answer to every request beyond the script; without one, 500.
  void Otherwise(ScriptedAnswer answer) {
    const std::lock_guard lock(mutex_);
    otherwise_ = std::move(answer);
  }

  std::vector<http::ServerRequest> Requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t Count(const std::string& part_of_target = "") const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [&](const auto& request) {
      return request.target.find(part_of_target) != std::string::npos;
    }));
  }
  http::ServerRequest Last() const {
    const std::lock_guard lock(mutex_);
    return requests_.empty() ? http::ServerRequest{} : requests_.back();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  // Every connection is cut and nobody listens any more.
  void GoAway() { listener_.reset(); }
  void ComeBack() { Start(port_); }

  std::shared_ptr<Client> MakeClient(RestClientOptions options = {}, metrics::Registry* registry = nullptr) const {
    options.credentials.base_url = url();
    auto client = MakeRestClient(std::move(options), registry);
    if (!client.ok()) throw std::runtime_error(client.error().ToString());
    return std::move(client).value();
  }

 private:
  void Start(std::uint16_t port) {
    http::ListenerOptions options;
    options.port = port;
    auto listener = http::HttpListener::Start(
        options, [this](const http::ServerRequest& request, http::ResponseWriter& writer) { Answer(request, writer); });
    if (!listener.ok()) throw std::runtime_error(listener.error().ToString());
    listener_ = std::move(listener).value();
    port_ = listener_->port();
  }

  void Answer(const http::ServerRequest& request, http::ResponseWriter& writer) {
    ScriptedAnswer answer;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      if (!script_.empty()) {
        answer = std::move(script_.front());
        script_.pop_front();
      } else {
        answer = otherwise_;
      }
    }
    if (answer) {
      answer(request, writer);
    } else {
      writer.Send(500, {}, "nothing was scripted for " + request.method + " " + request.target);
    }
  }

  mutable std::mutex mutex_;
  std::deque<ScriptedAnswer> script_;          // guarded by mutex_
  ScriptedAnswer otherwise_;                   // guarded by mutex_
  std::vector<http::ServerRequest> requests_;  // guarded by mutex_
  std::uint16_t port_ = 0;
  std::unique_ptr<http::HttpListener> listener_;  // last: its threads use the others
};

}  // namespace holdfast::kube
