#include "service/tracing/traced_backend.h"

#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::tracing {
namespace {

using storage::Operation;
using storage::OperationResult;

const Deadline kNever = Deadline::Infinite();
constexpr std::uint64_t kMaxCalls = 3;

// In memory; what it is told to fail fails.
class FailingBackend final : public storage::ForwardingBackend {
 public:
  FailingBackend() : ForwardingBackend(storage::MakeMemoryBackend({})) {}
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    backend().Execute(operations, results, deadline);
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].key == "broken") results[i].status = Error(ErrorCode::kOutcomeUnknown, "as the test has it");
    }
  }
};

class TracedBackendTest : public testing::Test {
 protected:
  std::vector<OperationResult> Execute(const std::vector<Operation>& operations) {
    std::vector<OperationResult> results(operations.size());
    backend_->Execute(operations, results, kNever);
    return results;
  }
  // The one span of what is done for one request.
  template <typename Do>
  Span Told(const Do& action) {
    const std::size_t before = sink_->spans().size();
    {
      const Scope scope(ContextOf(RequestNamed('a')));
      action();
    }
    const std::vector<Span> spans = sink_->spans();
    EXPECT_EQ(spans.size(), before + 1);
    return spans.empty() ? Span() : spans.back();
  }

  const std::shared_ptr<KeptSpans> sink_ = std::make_shared<KeptSpans>();
  const std::shared_ptr<storage::Backend> backend_ =
      MakeTracedBackend(std::make_shared<FailingBackend>(), "db", sink_, kMaxCalls);
};

TEST_F(TracedBackendTest, ACallIsAChildOfItsRequest) {
  const auto before = std::chrono::system_clock::now();
  const Span span = Told([this] { EXPECT_TRUE(Execute({Operation::Put("k", "v")})[0].status.ok()); });
  EXPECT_EQ(span.kind, SpanKind::kClient);
  EXPECT_EQ(span.name, "put db");
  EXPECT_EQ(span.trace_id, std::string(32, 'a'));
  EXPECT_EQ(span.parent_span_id, std::string(16, 'a'));
  EXPECT_EQ(span.span_id.size(), 16u);
  EXPECT_NE(span.span_id, span.parent_span_id);
  EXPECT_GE(span.start, before);
  EXPECT_FALSE(span.failed);
  EXPECT_TRUE(span.links.empty());
  EXPECT_EQ(AttributeOf(span, "db.system.name"), "memory");
  EXPECT_EQ(AttributeOf(span, "db.operation.name"), "put");
  EXPECT_EQ(AttributeOf(span, "holdfast.backend"), "db");
  EXPECT_EQ(AttributeOf(span, "holdfast.store"), "main");
  EXPECT_EQ(AttributeOf(span, "holdfast.result"), "ok");
  EXPECT_EQ(AttributeOf(span, "error.type"), "");
  EXPECT_EQ(NumberOf(span, "holdfast.attempt"), 1);
  EXPECT_EQ(NumberOf(span, "db.operation.batch.size"), std::nullopt) << "one operation is no batch";
}

TEST_F(TracedBackendTest, ABatchSaysWhatItHeldAndWhatWasRefused) {
  const Span puts = Told([this] { Execute({Operation::Put("a", "1"), Operation::Put("b", "2")}); });
  EXPECT_EQ(puts.name, "BATCH put db");
  EXPECT_EQ(NumberOf(puts, "db.operation.batch.size"), 2);
  EXPECT_EQ(NumberOf(puts, "holdfast.refused"), std::nullopt);
  const Operation refused = Operation::Put("a", "3", storage::Precondition::Absent());
  const Span mixed = Told([&] { Execute({Operation::Get("a"), refused}); });
  EXPECT_EQ(mixed.name, "BATCH db");
  EXPECT_EQ(AttributeOf(mixed, "holdfast.result"), "ok") << "the backend did what it should";
  EXPECT_EQ(NumberOf(mixed, "holdfast.refused"), 1);
  const Span both = Told([&] { Execute({refused, refused}); });
  EXPECT_EQ(AttributeOf(both, "holdfast.result"), "already_exists");
  EXPECT_FALSE(both.failed);
}

TEST_F(TracedBackendTest, AFailureOfTheBackendIsAnErrorAndARefusalIsNone) {
  const Span refused = Told([this] { Execute({Operation::Put("k", "v", storage::Precondition::VersionIs(7))}); });
  EXPECT_EQ(AttributeOf(refused, "holdfast.result"), "version_conflict");
  EXPECT_EQ(AttributeOf(refused, "error.type"), "");
  EXPECT_FALSE(refused.failed);
  const Span failed = Told([this] { Execute({Operation::Get("k"), Operation::Put("broken", "v")}); });
  EXPECT_EQ(AttributeOf(failed, "holdfast.result"), "outcome_unknown");
  EXPECT_EQ(AttributeOf(failed, "error.type"), "outcome_unknown");
  EXPECT_TRUE(failed.failed);
}

TEST_F(TracedBackendTest, EveryKindOfCallHasItsName) {
  storage::Transaction transaction;
  transaction.then = {Operation::Put("t1", "v"), Operation::Put("t2", "v")};
  const Span transact = Told([&] { EXPECT_TRUE(backend_->Transact(transaction, kNever).ok()); });
  EXPECT_EQ(transact.name, "transact db");
  EXPECT_EQ(NumberOf(transact, "db.operation.batch.size"), 2);
  const Span scan = Told([this] { EXPECT_TRUE(backend_->Scan({}, kNever).ok()); });
  EXPECT_EQ(scan.name, "scan db");
  EXPECT_EQ(NumberOf(scan, "db.response.returned_rows"), 2);
  EXPECT_EQ(Told([this] { EXPECT_TRUE(backend_->Count({}, kNever).ok()); }).name, "count db");
  EXPECT_EQ(Told([this] { EXPECT_TRUE(backend_->DeleteRange({}, kNever).ok()); }).name, "delete_range db");
  EXPECT_TRUE(backend_->Close().ok());
  const Span closed = Told([this] { EXPECT_FALSE(backend_->Scan({}, kNever).ok()); });
  EXPECT_EQ(AttributeOf(closed, "holdfast.result"), "unavailable");
  EXPECT_TRUE(closed.failed);
}

TEST_F(TracedBackendTest, ACallThatServesSeveralRequestsIsInTheTraceOfEachAndLinked) {
  SharedContext shared;
  for (const char letter : {'a', 'b', 'c'}) shared.Add(ContextOf(RequestNamed(letter)));
  {
    const Scope scope(shared.Take());
    Execute({Operation::Put("x", "1"), Operation::Put("y", "2"), Operation::Put("z", "3")});
  }
  const std::vector<Span> spans = sink_->spans();
  ASSERT_EQ(spans.size(), 3u);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const char letter = "abc"[i];
    EXPECT_EQ(spans[i].trace_id, std::string(32, letter));
    EXPECT_EQ(spans[i].parent_span_id, std::string(16, letter));
    EXPECT_EQ(spans[i].start, spans[0].start);
    EXPECT_EQ(spans[i].duration, spans[0].duration);
    EXPECT_EQ(NumberOf(spans[i], "db.operation.batch.size"), 3);
    if (i == 0) continue;
    ASSERT_EQ(spans[i].links.size(), 1u);
    EXPECT_EQ(spans[i].links[0].trace_id, spans[0].trace_id);
    EXPECT_EQ(spans[i].links[0].span_id, spans[0].span_id);
  }
  EXPECT_TRUE(spans[0].links.empty());
}

TEST_F(TracedBackendTest, WhatIsDoneForNoTracedRequestIsNotTold) {
  Execute({Operation::Put("k", "v")});
  EXPECT_TRUE(backend_->Scan({}, kNever).ok());
  const Scope outer(ContextOf(RequestNamed('a')));
  const Scope untraced(nullptr);
  Execute({Operation::Get("k")});
  EXPECT_TRUE(sink_->spans().empty());
}

TEST_F(TracedBackendTest, BehindTheLimitCallsAreOnlyCounted) {
  const auto request = RequestNamed('a');
  const Scope scope(ContextOf(request));
  for (int i = 0; i < 5; ++i) Execute({Operation::Get("k")});
  EXPECT_EQ(sink_->spans().size(), kMaxCalls);
  EXPECT_EQ(request->calls, 5u);
}

}  // namespace
}  // namespace holdfast::tracing
