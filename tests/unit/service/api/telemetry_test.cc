// Spans and trace ids of requests; the access log's lines are in tests/integration/service/operation_test.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "service/api/trace_context.h"
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

constexpr char kTraceId[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kNotSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class KeptSpans : public tracing::SpanSink {
 public:
  explicit KeptSpans(bool sample) : sample_(sample) {}
  bool Sample() override { return sample_; }
  void SetSamplePercent(int percent) override { sample_ = percent > 0; }
  void Record(tracing::Span span) override {
    std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<tracing::Span> spans() const {
    std::lock_guard lock(mutex_);
    return spans_;
  }

 private:
  std::atomic<bool> sample_;
  mutable std::mutex mutex_;
  std::vector<tracing::Span> spans_;
};

class TelemetryTest : public testing::Test {
 protected:
  void Trace(bool sample) {
    spans_ = std::make_shared<KeptSpans>(sample);
    ApiHarness::Options options;
    options.api.spans = spans_;
    api_ = std::make_unique<ApiHarness>(options);
  }

  std::shared_ptr<KeptSpans> spans_;
  std::unique_ptr<ApiHarness> api_;
};

TEST_F(TelemetryTest, ARequestIsAChildOfItsCallersSpan) {
  Trace(false);
  const Answer answer = api_->Send("PUT", "/v1/stores/main/keys/k", {{"traceparent", kSampled}}, "value");
  ASSERT_EQ(1u, spans_->spans().size());
  const tracing::Span span = spans_->spans().front();
  EXPECT_EQ(kTraceId, span.trace_id);
  EXPECT_EQ("b7ad6b7169203331", span.parent_span_id);
  EXPECT_EQ("PUT /v1/stores/{store}/keys/{key}", span.name);
  EXPECT_FALSE(span.failed);
  const std::pair<std::string, std::int64_t> status{"http.response.status_code", 201};
  EXPECT_EQ(status, span.numbers.at(0));
  const std::pair<std::string, std::int64_t> size{"http.request.body.size", 5};
  EXPECT_EQ(size, span.numbers.at(1));
  const std::string header = answer.Header("traceparent");
  const auto told = ParseTraceparent(header);
  ASSERT_TRUE(told);
  EXPECT_EQ(kTraceId, told->trace_id);
  EXPECT_EQ(span.span_id, told->parent_id);
  EXPECT_TRUE(told->sampled);
}

TEST_F(TelemetryTest, TheCallersDecisionIsHonoured) {
  Trace(true);
  const Answer answer = api_->Send("GET", "/v1/stores/main/keys/k", {{"traceparent", kNotSampled}});
  EXPECT_TRUE(spans_->spans().empty());
  EXPECT_TRUE(answer.Header("traceparent").ends_with("-00"));
  EXPECT_EQ(kTraceId, answer.Json().value("trace_id", ""));
}

TEST_F(TelemetryTest, WithoutACallerTheSinkDecides) {
  Trace(true);
  const Answer answer = api_->Send("GET", "/v1/stores/main/keys/missing");
  ASSERT_EQ(1u, spans_->spans().size());
  const tracing::Span span = spans_->spans().front();
  EXPECT_TRUE(span.parent_span_id.empty());
  EXPECT_EQ(span.trace_id, answer.Json().value("trace_id", "")) << "the id in the problem finds the span";
  Trace(false);
  api_->Send("GET", "/v1/stores/main/keys/missing");
  EXPECT_TRUE(spans_->spans().empty());
}

TEST_F(TelemetryTest, WhatReachesNoRouteIsTracedToo) {
  Trace(true);
  EXPECT_EQ(404, api_->Send("GET", "/nowhere").status);
  ASSERT_EQ(1u, spans_->spans().size());
  EXPECT_EQ("GET none", spans_->spans().front().name);
}

TEST_F(TelemetryTest, WithoutTracingTheHeaderComesBackAsItWas) {
  ApiHarness api;
  EXPECT_EQ(kSampled, api.Send("GET", "/v1/stores/main/keys/k", {{"traceparent", kSampled}}).Header("traceparent"));
  EXPECT_EQ("", api.Send("GET", "/v1/stores/main/keys/k").Header("traceparent"));
}

}  // namespace
}  // namespace holdfast::api
