// What spans of calls cost requests that are not traced: nothing.
#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"
#include "service/tracing/traced_backend.h"
#include "tests/integration/http_framing/allocation_count.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::tracing {
namespace {

using api::testing::AllocationsOfMarkedThreads;

template <typename Do>
std::size_t AllocationsOf(const Do& action) {
  const std::size_t before = AllocationsOfMarkedThreads();
  action();
  return AllocationsOfMarkedThreads() - before;
}

TEST(TracingAllocationsTest, ACallForNoTracedRequestAllocatesWhatTheBackendDoes) {
  constexpr std::uint64_t kMaxCalls = 64;
  const auto sink = std::make_shared<KeptSpans>();
  const std::shared_ptr<storage::Backend> bare = storage::MakeMemoryBackend({});
  const auto traced = MakeTracedBackend(bare, "db", sink, kMaxCalls);
  const std::vector<storage::Operation> get = {storage::Operation::Get("k")};
  std::vector<storage::OperationResult> results(1);
  const auto call = [&](storage::Backend& backend) { backend.Execute(get, results, Deadline::Infinite()); };
  api::testing::MarkThisThread();
  call(*bare);
  const std::size_t own = AllocationsOf([&] { call(*bare); });
  EXPECT_EQ(AllocationsOf([&] { call(*traced); }), own);
  EXPECT_TRUE(sink->spans().empty());
  // Control: it would be counted.
  const Scope scope(ContextOf(RequestNamed('a')));
  EXPECT_GT(AllocationsOf([&] { call(*traced); }), own);
  EXPECT_EQ(sink->spans().size(), 1u);
}

TEST(TracingAllocationsTest, TheContextOfAnUntracedRequestAllocatesNothing) {
  api::testing::MarkThisThread();
  EXPECT_EQ(AllocationsOf([] {
              const Scope scope(nullptr);
              SharedContext shared;
              shared.Add(CurrentContext());
              const Scope batch(shared.Take());
              const Scope again(ContextOfAttempt(2));
              const Scope hedge(ContextOfHedge());
            }),
            0u);
}

}  // namespace
}  // namespace holdfast::tracing
