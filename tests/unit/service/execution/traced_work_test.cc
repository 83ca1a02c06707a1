// Work that changes threads is told of in the traces of those who asked for it.
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "service/backends/memory/memory_backend.h"
#include "service/execution/executor.h"
#include "service/execution/task_pool.h"
#include "service/storage/forwarding_backend.h"
#include "service/tracing/traced_backend.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::execution {
namespace {

using storage::Operation;
using storage::OperationResult;
using tracing::ContextOf;
using tracing::RequestNamed;

const Deadline kNever = Deadline::Infinite();

// Holds every Execute back until it is let go, and takes so many at once. Thread-safe.
class HeldBackend final : public storage::ForwardingBackend {
 public:
  explicit HeldBackend(int concurrent_calls)
      : ForwardingBackend(storage::MakeMemoryBackend({})), concurrent_calls_(concurrent_calls) {}
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    capabilities.inline_reads = false;
    capabilities.inline_writes = false;
    capabilities.concurrent_calls = concurrent_calls_;
    return capabilities;
  }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    {
      std::unique_lock lock(mutex_);
      ++entered_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return let_go_; });
    }
    backend().Execute(operations, results, deadline);
  }
  void AwaitEntered(int calls) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return entered_ >= calls; }));
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }

 private:
  const int concurrent_calls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;      // guarded by mutex_
  bool let_go_ = false;  // guarded by mutex_
};

// In front of a backend with one caller at a time, and of one with two.
class TracedWork : public testing::TestWithParam<int> {
 protected:
  ~TracedWork() override { held_->LetGo(); }
  // Answered with the context that its answer came in.
  std::future<tracing::ContextPtr> Put(const std::string& key) {
    const auto promise = std::make_shared<std::promise<tracing::ContextPtr>>();
    executor_->SubmitOne(Operation::Put(key, "v"), kNever,
                         [promise](OperationResult&&) { promise->set_value(tracing::CurrentContext()); });
    return promise->get_future();
  }

  const std::shared_ptr<tracing::KeptSpans> sink_ = std::make_shared<tracing::KeptSpans>();
  const std::shared_ptr<HeldBackend> held_ = std::make_shared<HeldBackend>(GetParam());
  const std::unique_ptr<Executor> executor_ = MakeExecutor(tracing::MakeTracedBackend(held_, "db", sink_, 64), {});
};
INSTANTIATE_TEST_SUITE_P(Calls, TracedWork, testing::Values(1, 2),
                         [](const testing::TestParamInfo<int>& calls) { return std::to_string(calls.param); });

TEST_P(TracedWork, ABatchIsInTheTraceOfEveryRequestThatItServes) {
  std::vector<std::future<tracing::ContextPtr>> inside;
  for (int i = 1; i <= GetParam(); ++i) {
    inside.push_back(Put("busy"));
    held_->AwaitEntered(i);
  }
  // What waits now is the next batch.
  const auto untraced = Put("k");
  std::vector<std::future<tracing::ContextPtr>> traced;
  for (const char letter : {'a', 'b'}) {
    const tracing::Scope scope(ContextOf(RequestNamed(letter)));
    traced.push_back(Put("k"));
  }
  held_->LetGo();
  untraced.wait();
  for (std::size_t i = 0; i < traced.size(); ++i) {
    const tracing::ContextPtr context = traced[i].get();
    ASSERT_NE(context, nullptr);
    EXPECT_EQ(context->requests.front()->span_id, std::string(16, "ab"[i])) << "what follows belongs to it as well";
  }
  const std::vector<tracing::Span> spans = sink_->spans();
  ASSERT_EQ(spans.size(), 2u) << "and nobody else";
  for (std::size_t i = 0; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].trace_id, std::string(32, "ab"[i]));
    EXPECT_EQ(spans[i].name, "BATCH put db");
    EXPECT_EQ(tracing::NumberOf(spans[i], "db.operation.batch.size"), 3);
  }
  EXPECT_TRUE(spans[0].links.empty());
  ASSERT_EQ(spans[1].links.size(), 1u);
  EXPECT_EQ(spans[1].links[0].span_id, spans[0].span_id);
}

TEST_P(TracedWork, WhatIsSubmittedTogetherIsOneCallOfOneRequest) {
  held_->LetGo();
  std::promise<void> answered;
  {
    const tracing::Scope scope(ContextOf(RequestNamed('a')));
    executor_->Submit({Operation::Put("a", "1"), Operation::Put("b", "2")}, kNever,
                      [&answered](const std::vector<OperationResult>&) { answered.set_value(); });
  }
  answered.get_future().wait();
  executor_->Drain();
  std::int64_t operations = 0;
  for (const tracing::Span& span : sink_->spans()) {
    operations += tracing::NumberOf(span, "db.operation.batch.size").value_or(1);
  }
  EXPECT_EQ(operations, 2) << "no operation is told of twice";
}

TEST(TracedTask, RunsInTheContextOfWhoAddedIt) {
  TaskPool pool(1, 10);
  tracing::ContextPtr traced;
  tracing::ContextPtr behind = ContextOf(RequestNamed('x'));
  {
    const tracing::Scope scope(ContextOf(RequestNamed('a')));
    ASSERT_TRUE(pool.Add([&traced] { traced = tracing::CurrentContext(); }));
  }
  ASSERT_TRUE(pool.Add([&behind] { behind = tracing::CurrentContext(); }));
  pool.Drain();
  ASSERT_NE(traced, nullptr);
  EXPECT_EQ(traced->requests.front()->trace_id, std::string(32, 'a'));
  EXPECT_EQ(behind, nullptr) << "the thread keeps none";
}

}  // namespace
}  // namespace holdfast::execution
