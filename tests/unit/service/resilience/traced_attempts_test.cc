// Every attempt and every hedge of a traced request has a span of its own, and says which it is.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "service/resilience/hedged_backend.h"
#include "service/resilience/resilient_backend.h"
#include "service/tracing/traced_backend.h"
#include "tests/unit/service/resilience/scripted_backend.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using storage::Operation;
using tracing::AttributeOf;
using tracing::NumberOf;

const Deadline kNever = Deadline::Infinite();
constexpr std::uint64_t kMaxCalls = 64;

// Holds the first call back until another one has come. Thread-safe.
class LateFirst final : public storage::ForwardingBackend {
 public:
  LateFirst() : ForwardingBackend(storage::MakeMemoryBackend({})) {}
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    {
      std::unique_lock lock(mutex_);
      ++calls_;
      changed_.notify_all();
      EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return calls_ > 1; }));
    }
    return backend().Scan(request, deadline);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int calls_ = 0;  // guarded by mutex_
};

class TracedAttempts : public testing::Test {
 protected:
  std::shared_ptr<storage::Backend> Traced(std::shared_ptr<storage::Backend> backend) const {
    return tracing::MakeTracedBackend(std::move(backend), "db", sink_, kMaxCalls);
  }
  // Of every span so far: its attempt and what it ended with.
  std::vector<std::pair<std::int64_t, std::string>> Attempts() const {
    std::vector<std::pair<std::int64_t, std::string>> attempts;
    for (const tracing::Span& span : sink_->spans()) {
      attempts.emplace_back(NumberOf(span, "holdfast.attempt").value_or(0), AttributeOf(span, "holdfast.result"));
    }
    return attempts;
  }

  const std::shared_ptr<tracing::KeptSpans> sink_ = std::make_shared<tracing::KeptSpans>();
};

TEST_F(TracedAttempts, AreNumberedFromOne) {
  const auto scripted = std::make_shared<ScriptedBackend>();
  Options options;
  options.attempts = 3;
  options.backoff = {milliseconds{1}, milliseconds{2}, 1.0};
  const auto backend = MakeResilientBackend(Traced(scripted), std::make_shared<Guard>("db", options));
  const tracing::Scope scope(tracing::ContextOf(tracing::RequestNamed('a')));
  scripted->FailNext(ErrorCode::kUnavailable, 2);
  EXPECT_TRUE(storage::ExecuteOne(*backend, Operation::Put("k", "v"), kNever).status.ok());
  const std::vector<std::pair<std::int64_t, std::string>> expected = {
      {1, "unavailable"}, {2, "unavailable"}, {3, "ok"}};
  EXPECT_EQ(Attempts(), expected);
  // And of what is no Execute.
  scripted->FailNext(ErrorCode::kUnavailable);
  EXPECT_TRUE(backend->Scan({}, kNever).ok());
  const auto all = Attempts();
  ASSERT_EQ(all.size(), expected.size() + 2);
  EXPECT_EQ(all[3], std::pair(std::int64_t{1}, std::string("unavailable")));
  EXPECT_EQ(all[4], std::pair(std::int64_t{2}, std::string("ok")));
}

TEST_F(TracedAttempts, AHedgeSaysThatItIsOne) {
  Options options;
  options.hedge = HedgeOptions{milliseconds{1}};
  {
    const auto backend =
        MakeHedgedBackend(Traced(std::make_shared<LateFirst>()), std::make_shared<Guard>("db", options));
    const tracing::Scope scope(tracing::ContextOf(tracing::RequestNamed('a')));
    EXPECT_TRUE(backend->Scan({}, kNever).ok());
    EXPECT_TRUE(backend->Close().ok()) << "which waits for the one that lost";
  }
  const std::vector<tracing::Span> spans = sink_->spans();
  ASSERT_EQ(spans.size(), 2u);
  std::multiset<std::string> hedges;
  for (const tracing::Span& span : spans) {
    EXPECT_EQ(span.trace_id, std::string(32, 'a'));
    EXPECT_EQ(span.name, "scan db");
    hedges.insert(AttributeOf(span, "holdfast.hedge"));
  }
  EXPECT_EQ(hedges, (std::multiset<std::string>{"", "true"}));
}

}  // namespace
}  // namespace holdfast::resilience
