#include "service/tracing/context.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/service/tracing/kept_spans.h"

namespace holdfast::tracing {
namespace {

TEST(ContextTest, StandsOnItsThreadWhileItsScopeDoes) {
  EXPECT_EQ(CurrentContext(), nullptr);
  {
    const Scope scope(ContextOf(RequestNamed('a')));
    ASSERT_NE(CurrentContext(), nullptr);
    EXPECT_EQ(CurrentContext()->requests.front()->span_id, "aaaaaaaaaaaaaaaa");
    ContextPtr elsewhere = CurrentContext();
    std::thread([&elsewhere] { elsewhere = CurrentContext(); }).join();
    EXPECT_EQ(elsewhere, nullptr) << "it goes to no thread by itself";
  }
  EXPECT_EQ(CurrentContext(), nullptr);
}

TEST(ContextTest, AnUntracedRequestWithinATracedOneIsNotTraced) {
  const ContextPtr outer = ContextOf(RequestNamed('a'));
  const Scope scope(outer);
  {
    const Scope inner(nullptr);
    EXPECT_EQ(CurrentContext(), nullptr);
  }
  EXPECT_EQ(CurrentContext(), outer);
}

TEST(ContextTest, AnAttemptAndAHedgeBelongToTheSameRequests) {
  EXPECT_EQ(ContextOfAttempt(2), nullptr);
  EXPECT_EQ(ContextOfHedge(), nullptr);
  const ContextPtr context = ContextOf(RequestNamed('a'));
  const Scope scope(context);
  EXPECT_EQ(ContextOfAttempt(1), context);
  const Scope again(ContextOfAttempt(3));
  const ContextPtr hedge = ContextOfHedge();
  EXPECT_EQ(hedge->requests, context->requests);
  EXPECT_EQ(hedge->attempt, 3);
  EXPECT_TRUE(hedge->hedge);
  EXPECT_FALSE(context->hedge);
}

TEST(ContextTest, WorkThatIsDoneTogetherBelongsToEveryRequestOnce) {
  EXPECT_EQ(SharedContext().Take(), nullptr);
  SharedContext shared;
  const ContextPtr a = ContextOf(RequestNamed('a'));
  const ContextPtr b = ContextOf(RequestNamed('b'));
  for (const ContextPtr& context : {a, ContextPtr(), b, a}) shared.Add(context);
  const ContextPtr both = shared.Take();
  ASSERT_EQ(both->requests.size(), 2u);
  EXPECT_EQ(both->requests[0], a->requests[0]);
  EXPECT_EQ(both->requests[1], b->requests[0]);
}

}  // namespace
}  // namespace holdfast::tracing
