#include "service/tracing/otlp_exporter.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/http/http_listener.h"
#include "base/time/deadline.h"

namespace holdfast::tracing {
namespace {

Span SpanOf(const std::string& name) {
  Span span;
  span.trace_id = "0af7651916cd43dd8448eb211c80319c";
  span.span_id = "b7ad6b7169203331";
  span.parent_span_id = "00f067aa0ba902b7";
  span.name = name;
  span.start = std::chrono::system_clock::time_point{std::chrono::seconds{1000}};
  span.duration = std::chrono::milliseconds{5};
  span.failed = true;
  span.attributes = {{"http.route", "/x"}};
  span.numbers = {{"http.response.status_code", 503}};
  return span;
}

// A collector that keeps what it is sent.
class Collector {
 public:
  explicit Collector(int status = 200) {
    auto listener = http::HttpListener::Start({}, [this, status](const auto& request, auto& response) {
      {
        std::lock_guard lock(mutex_);
        targets_.push_back(request.target);
        bodies_.push_back(request.body);
      }
      response.Send(status, {}, "{}");
    });
    listener_ = std::move(listener).value();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_->port()); }
  std::vector<std::string> targets() const {
    std::lock_guard lock(mutex_);
    return targets_;
  }
  std::size_t spans() const {
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const std::string& body : bodies_) {
      count += nlohmann::json::parse(body).at("resourceSpans")[0].at("scopeSpans")[0].at("spans").size();
    }
    return count;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> targets_;
  std::vector<std::string> bodies_;
  std::unique_ptr<http::HttpListener> listener_;
};

double Counted(const metrics::Registry& registry, const std::string& result) {
  const std::string text = registry.Serialize();
  const std::string row = "holdfast_tracing_spans_total{result=\"" + result + "\"} ";
  const std::size_t at = text.find(row);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + row.size()));
}

TEST(OtlpExporter, EncodesASpanAsTheProtocolHasIt) {
  const std::vector<Span> spans = {SpanOf("GET /x")};
  const auto json = nlohmann::json::parse(EncodeSpans("svc", spans));
  const auto& resource = json.at("resourceSpans")[0];
  EXPECT_EQ("svc", resource.at("resource").at("attributes")[0].at("value").at("stringValue"));
  const auto& span = resource.at("scopeSpans")[0].at("spans")[0];
  EXPECT_EQ("0af7651916cd43dd8448eb211c80319c", span.at("traceId"));
  EXPECT_EQ("b7ad6b7169203331", span.at("spanId"));
  EXPECT_EQ("00f067aa0ba902b7", span.at("parentSpanId"));
  EXPECT_EQ(2, span.at("kind"));
  EXPECT_FALSE(span.contains("links"));
  EXPECT_EQ("1000000000000", span.at("startTimeUnixNano"));
  EXPECT_EQ("1000005000000", span.at("endTimeUnixNano"));
  EXPECT_EQ(2, span.at("status").at("code"));
  EXPECT_EQ("503", span.at("attributes")[1].at("value").at("intValue"));
}

TEST(OtlpExporter, EncodesACallOfABackendWithItsLinks) {
  std::vector<Span> spans = {SpanOf("put db")};
  spans[0].kind = SpanKind::kClient;
  spans[0].links = {{"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"}};
  const auto json = nlohmann::json::parse(EncodeSpans("svc", spans));
  const auto& span = json.at("resourceSpans")[0].at("scopeSpans")[0].at("spans")[0];
  EXPECT_EQ(3, span.at("kind"));
  ASSERT_EQ(1u, span.at("links").size());
  EXPECT_EQ("4bf92f3577b34da6a3ce929d0e0e4736", span.at("links")[0].at("traceId"));
  EXPECT_EQ("00f067aa0ba902b7", span.at("links")[0].at("spanId"));
}

TEST(OtlpExporter, BytesThatAreNoTextDoNoHarm) {
  std::vector<Span> spans = {SpanOf("GET \xff")};
  spans[0].parent_span_id.clear();
  const auto json = nlohmann::json::parse(EncodeSpans("svc", spans));
  EXPECT_FALSE(json.at("resourceSpans")[0].at("scopeSpans")[0].at("spans")[0].contains("parentSpanId"));
}

TEST(OtlpExporter, SendsEverySpanAlsoThoseThatWaitAtTheEnd) {
  const Collector collector;
  metrics::Registry registry;
  {
    OtlpOptions options;
    options.endpoint = collector.url() + "/base/";
    options.max_batch = 2;
    auto sink = MakeOtlpExporter(options, registry);
    ASSERT_TRUE(sink.ok());
    for (int i = 0; i < 5; ++i) (*sink)->Record(SpanOf("s"));
  }
  EXPECT_EQ(5u, collector.spans());
  EXPECT_EQ("/base/v1/traces", collector.targets().front());
  EXPECT_EQ(5, Counted(registry, "exported"));
  EXPECT_EQ(0, Counted(registry, "dropped"));
}

TEST(OtlpExporter, WhatTheCollectorRefusesIsCountedAsDropped) {
  const Collector collector(503);
  metrics::Registry registry;
  {
    OtlpOptions options;
    options.endpoint = collector.url();
    auto sink = MakeOtlpExporter(options, registry);
    ASSERT_TRUE(sink.ok());
    (*sink)->Record(SpanOf("s"));
  }
  EXPECT_EQ(0, Counted(registry, "exported"));
  EXPECT_EQ(1, Counted(registry, "dropped"));
}

TEST(OtlpExporter, AFullQueueDropsAndBlocksNobody) {
  metrics::Registry registry;
  OtlpOptions options;
  options.endpoint = "http://127.0.0.1:1";
  options.max_queue = 3;
  options.max_batch = 100;
  options.interval = std::chrono::hours{1};
  {
    auto sink = MakeOtlpExporter(options, registry);
    ASSERT_TRUE(sink.ok());
    for (int i = 0; i < 10; ++i) (*sink)->Record(SpanOf("s"));
    EXPECT_EQ(7, Counted(registry, "dropped"));
  }
  EXPECT_EQ(10, Counted(registry, "dropped")) << "nobody listens on that port";
}

TEST(OtlpExporter, SamplesTheShareItWasTold) {
  metrics::Registry registry;
  OtlpOptions options;
  options.endpoint = "http://127.0.0.1:1";
  for (const auto& [percent, least, most] : {std::tuple{0, 0, 0}, {100, 1000, 1000}, {50, 300, 700}}) {
    options.sample_percent = percent;
    auto sink = MakeOtlpExporter(options, registry);
    ASSERT_TRUE(sink.ok());
    int sampled = 0;
    for (int i = 0; i < 1000; ++i) sampled += (*sink)->Sample() ? 1 : 0;
    EXPECT_GE(sampled, least);
    EXPECT_LE(sampled, most);
  }
}

TEST(OtlpExporter, RefusesWhatIsNoUrl) {
  metrics::Registry registry;
  for (const char* endpoint : {"collector:4318", "ftp://x", "http://"}) {
    OtlpOptions options;
    options.endpoint = endpoint;
    const auto sink = MakeOtlpExporter(options, registry);
    ASSERT_FALSE(sink.ok()) << endpoint;
    EXPECT_EQ(ErrorCode::kInvalidArgument, sink.error().code());
  }
}

}  // namespace
}  // namespace holdfast::tracing
