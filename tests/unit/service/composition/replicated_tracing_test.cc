// What a traced request writes to a replicated store is in its trace once for each replica, whose threads do it.
#include <algorithm>

#include "service/tracing/traced_backend.h"
#include "tests/unit/service/composition/replicated_fixture.h"
#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::composition {
namespace {

constexpr std::uint64_t kMaxCalls = 64;

TEST_F(ReplicatedTest, AWriteIsInItsTraceOnceForEachReplica) {
  const auto sink = std::make_shared<tracing::KeptSpans>();
  for (std::size_t i = 0; i < kReplicas; ++i) {
    replicas_[i] = std::make_shared<RemovableBackend>(tracing::MakeTracedBackend(
        std::shared_ptr(storage::MakeMemoryBackend({}, clock_)), "r" + std::to_string(i), sink, kMaxCalls));
  }
  Open();
  EXPECT_EQ("ok", Put("before", "1"));
  AwaitSame();
  EXPECT_TRUE(sink->spans().empty()) << "of nobody's trace";
  {
    const tracing::Scope scope(tracing::ContextOf(tracing::RequestNamed('a')));
    EXPECT_EQ("ok", Put("k", "1"));
  }
  EXPECT_EQ("ok", Put("behind", "1"));
  AwaitSame();
  std::vector<std::string> writes;
  for (const tracing::Span& span : sink->spans()) {
    EXPECT_EQ(span.trace_id, std::string(32, 'a'));
    if (span.name.starts_with("transact ")) writes.push_back(span.name);
  }
  std::sort(writes.begin(), writes.end());
  EXPECT_EQ(writes, (std::vector<std::string>{"transact r0", "transact r1", "transact r2"}));
}

}  // namespace
}  // namespace holdfast::composition
