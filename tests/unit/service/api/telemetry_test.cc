// Spans and trace ids of requests; the access log's lines are in tests/integration/service/operation_test.cc.
#include <gtest/gtest.h>

#include "service/api/trace_context.h"
#include "service/tracing/traced_backend.h"
#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::api {
namespace {

constexpr char kTraceId[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kNotSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

using tracing::KeptSpans;
using tracing::SpanKind;

class TelemetryTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kMaxCalls = 64;

  void Trace(bool sample) {
    spans_ = std::make_shared<KeptSpans>(sample);
    ApiHarness::Options options;
    options.api.spans = spans_;
    options.wrap = [this](std::shared_ptr<storage::Backend> backend) {
      return tracing::MakeTracedBackend(std::move(backend), "memory", spans_, kMaxCalls);
    };
    api_ = std::make_unique<ApiHarness>(options);
  }

  // Sends a request and gives the calls of the backend that were made for it, all of them in its trace and below it.
  std::vector<std::string> CallsOf(std::string_view method, const std::string& target, const HeaderList& headers = {},
                                   const std::string& body = "") {
    const std::size_t before = spans_->spans().size();
    const Answer answer = api_->Send(method, target, headers, body);
    EXPECT_LT(answer.status, 300) << answer.body;
    const std::string header = answer.Header("traceparent");
    const auto told = ParseTraceparent(header);
    EXPECT_TRUE(told);
    if (!told) return {};
    std::vector<std::string> calls;
    const std::vector<tracing::Span> spans = spans_->spans();
    for (std::size_t i = before; i < spans.size(); ++i) {
      EXPECT_EQ(spans[i].trace_id, told->trace_id);
      if (spans[i].kind == SpanKind::kServer) continue;
      EXPECT_EQ(spans[i].parent_span_id, told->parent_id);
      EXPECT_EQ(tracing::AttributeOf(spans[i], "holdfast.store"), "main");
      calls.push_back(spans[i].name);
    }
    return calls;
  }

  std::shared_ptr<KeptSpans> spans_;
  std::unique_ptr<ApiHarness> api_;
};

TEST_F(TelemetryTest, ARequestIsAChildOfItsCallersSpan) {
  Trace(false);
  const Answer answer = api_->Send("PUT", "/v1/stores/main/keys/k", {{"traceparent", kSampled}}, "value");
  ASSERT_EQ(1u, spans_->OfKind(SpanKind::kServer).size());
  const tracing::Span span = spans_->OfKind(SpanKind::kServer).front();
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
  ASSERT_EQ(1u, spans_->OfKind(SpanKind::kServer).size());
  const tracing::Span span = spans_->OfKind(SpanKind::kServer).front();
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

// Inline on the thread of the request, on the pool, through the executor, in a stream behind the answer.
TEST_F(TelemetryTest, WhatARequestAsksOfTheBackendIsBelowItOnWhicheverThread) {
  using Calls = std::vector<std::string>;
  Trace(true);
  const std::string main = "/v1/stores/main/";
  EXPECT_EQ(CallsOf("PUT", main + "keys/a", {}, "v"), Calls{"put memory"});
  const tracing::Span request = spans_->OfKind(SpanKind::kServer).back();
  EXPECT_EQ(tracing::NumberOf(request, "holdfast.backend_calls"), 1);
  EXPECT_EQ(CallsOf("GET", main + "keys/a"), Calls{"get memory"});
  // More than the first page of a stream.
  constexpr int kKeys = 150;
  for (int i = 0; i < kKeys; ++i) CallsOf("PUT", main + "keys/" + std::to_string(i), {}, "v");
  EXPECT_EQ(CallsOf("GET", main + "keys?limit=2"), (Calls{"scan memory", "get memory", "put memory"}))
      << "the first cursor needs a secret to sign it with";
  EXPECT_EQ(CallsOf("GET", main + "keys?limit=2"), Calls{"scan memory"});
  EXPECT_EQ(CallsOf("GET", main + "keys", {{"Accept", "application/x-ndjson"}}), (Calls{"scan memory", "scan memory"}))
      << "the second page is read when the first is on its way";
  EXPECT_EQ(CallsOf("GET", main + "count?prefix="), Calls{"count memory"});
  const std::string operations = R"({"operations":[{"op":"get","key":"a"},{"op":"get","key":"b"}]})";
  EXPECT_EQ(CallsOf("POST", main + "batch", {{"Content-Type", "application/json"}}, operations),
            Calls{"BATCH get memory"});
  const Calls once = CallsOf("POST", main + "keys/n?action=increment", {{"Idempotency-Key", "i"}});
  EXPECT_FALSE(once.empty());
}

TEST_F(TelemetryTest, ARequestThatIsNotSampledHasNoCallsToTellOf) {
  Trace(true);
  EXPECT_EQ(201, api_->Send("PUT", "/v1/stores/main/keys/k", {{"traceparent", kNotSampled}}, "v").status);
  EXPECT_EQ(200, api_->Send("GET", "/v1/stores/main/keys", {{"traceparent", kNotSampled}}).status);
  EXPECT_TRUE(spans_->spans().empty());
}

TEST_F(TelemetryTest, WithoutTracingTheHeaderComesBackAsItWas) {
  ApiHarness api;
  EXPECT_EQ(kSampled, api.Send("GET", "/v1/stores/main/keys/k", {{"traceparent", kSampled}}).Header("traceparent"));
  EXPECT_EQ("", api.Send("GET", "/v1/stores/main/keys/k").Header("traceparent"));
}

}  // namespace
}  // namespace holdfast::api
