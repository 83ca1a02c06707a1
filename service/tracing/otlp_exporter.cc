#include "service/tracing/otlp_exporter.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/http/http_client.h"
#include "base/log/log.h"

namespace holdfast::tracing {
namespace {

using Json = nlohmann::json;

constexpr int kErrorStatus = 2;  // STATUS_CODE_ERROR

int KindNumber(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return 2;  // SPAN_KIND_SERVER
    case SpanKind::kClient:
      return 3;  // SPAN_KIND_CLIENT
  }
  return 0;  // SPAN_KIND_UNSPECIFIED
}

Json TextAttribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

std::string Nanoseconds(std::chrono::system_clock::time_point time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

Json Encode(const Span& span) {
  Json attributes = Json::array();
  for (const auto& [key, value] : span.attributes) attributes.push_back(TextAttribute(key, value));
  for (const auto& [key, value] : span.numbers) {
    // 64-bit integers are strings in protobuf's JSON.
    attributes.push_back({{"key", key}, {"value", {{"intValue", std::to_string(value)}}}});
  }
  const auto end = span.start + std::chrono::duration_cast<std::chrono::system_clock::duration>(span.duration);
  Json json = {{"traceId", span.trace_id},
               {"spanId", span.span_id},
               {"name", span.name},
               {"kind", KindNumber(span.kind)},
               {"startTimeUnixNano", Nanoseconds(span.start)},
               {"endTimeUnixNano", Nanoseconds(end)},
               {"attributes", std::move(attributes)}};
  if (!span.parent_span_id.empty()) json["parentSpanId"] = span.parent_span_id;
  for (const SpanLink& link : span.links) {
    json["links"].push_back({{"traceId", link.trace_id}, {"spanId", link.span_id}});
  }
  if (span.failed) json["status"] = {{"code", kErrorStatus}};
  return json;
}

class OtlpExporter : public SpanSink {
 public:
  OtlpExporter(const OtlpOptions& options, std::string path, http::ClientOptions client, metrics::Registry& registry)
      : options_(options),
        sample_percent_(options.sample_percent),
        path_(std::move(path)),
        client_(std::move(client)),
        exported_(registry.GetCounter("holdfast_tracing_spans_total", kHelp, {{"result", "exported"}})),
        dropped_(registry.GetCounter("holdfast_tracing_spans_total", kHelp, {{"result", "dropped"}})),
        thread_([this] { Run(); }) {}

  ~OtlpExporter() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  bool Sample() override {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_int_distribution<int>{0, 99}(random) < sample_percent_.load(std::memory_order_relaxed);
  }
  void SetSamplePercent(int percent) override { sample_percent_.store(percent, std::memory_order_relaxed); }

  void Record(Span span) override {
    std::unique_lock lock(mutex_);
    if (stopping_ || queue_.size() >= options_.max_queue) {
      lock.unlock();
      return dropped_.Increment();
    }
    queue_.push_back(std::move(span));
    const bool full = queue_.size() == options_.max_batch;
    lock.unlock();
    if (full) changed_.notify_all();
  }

 private:
  static constexpr char kHelp[] = "Spans handed to the collector, or dropped because the queue was full or it failed.";

  void Run() {
    std::unique_lock lock(mutex_);
    while (!stopping_ || !queue_.empty()) {
      changed_.wait_for(lock, options_.interval, [this] { return stopping_ || queue_.size() >= options_.max_batch; });
      std::vector<Span> batch;
      std::swap(batch, queue_);
      const bool last = stopping_;
      lock.unlock();
      const std::span<const Span> spans(batch);
      bool reachable = true;
      for (std::size_t from = 0; from < spans.size(); from += options_.max_batch) {
        const auto part = spans.subspan(from, std::min(options_.max_batch, spans.size() - from));
        // At the end one failure is enough: the process is waited for.
        reachable = reachable && Send(part);
        (reachable ? exported_ : dropped_).Increment(static_cast<double>(part.size()));
        if (!last) reachable = true;
      }
      lock.lock();
    }
  }

  bool Send(std::span<const Span> spans) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = path_;
    request.headers["Content-Type"] = "application/json";
    request.body = EncodeSpans(options_.service_name, spans);
    const auto response = client_.Send(request, Deadline::After(options_.timeout));
    const bool sent = response.ok() && response->status / 100 == 2;
    if (!sent && !failing_) {
      log::Warn("spans could not be exported and are dropped; further failures are only counted",
                {{"endpoint", options_.endpoint},
                 {"error", response.ok() ? fmt::format("the collector answered {}", response->status)
                                         : response.error().message()}});
    }
    failing_ = !sent;
    return sent;
  }

  const OtlpOptions options_;  // but for what is below
  std::atomic<int> sample_percent_;
  const std::string path_;
  http::HttpClient client_;
  metrics::Counter& exported_;
  metrics::Counter& dropped_;
  bool failing_ = false;  // touched by thread_ only
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Span> queue_;  // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  std::thread thread_;       // last: it uses the others
};

}  // namespace

std::string EncodeSpans(const std::string& service_name, std::span<const Span> spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(Encode(span));
  const Json scope_spans = {{"scope", {{"name", "holdfast"}}}, {"spans", std::move(list)}};
  const Json resource = {{"attributes", Json::array({TextAttribute("service.name", service_name)})}};
  const Json resource_spans = {{"resource", resource}, {"scopeSpans", Json::array({scope_spans})}};
  const Json request = {{"resourceSpans", Json::array({resource_spans})}};
  // Paths may hold any bytes.
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::unique_ptr<SpanSink>> MakeOtlpExporter(const OtlpOptions& options, metrics::Registry& registry) {
  const std::string& url = options.endpoint;
  const std::size_t scheme_end = url.find("://");
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  if (!known || scheme_end + 3 == url.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "tracing.endpoint is not an http or https URL; write one like http://collector:4318");
  }
  const std::size_t path_start = url.find('/', scheme_end + 3);
  http::ClientOptions client;
  client.base_url = url.substr(0, path_start);
  std::string path = path_start == std::string::npos ? "" : url.substr(path_start);
  while (path.ends_with('/')) path.pop_back();
  path.append("/v1/traces");
  return std::unique_ptr<SpanSink>(
      std::make_unique<OtlpExporter>(options, std::move(path), std::move(client), registry));
}

}  // namespace holdfast::tracing
