#include "service/coordination/subscriber_limits.h"

#include <gtest/gtest.h>

namespace holdfast::coordination {
namespace {

using Slot = std::unique_ptr<SubscriberLimits::Slot>;
using Refusal = SubscriberLimits::Refusal;

TEST(SubscriberLimitsTest, BoundsEachTenantAndAll) {
  metrics::Registry registry;
  metrics::Gauge& gauge = registry.GetGauge("open", "");
  const auto limits = std::make_shared<SubscriberLimits>(SubscriberLimits::Options{3, 2});
  auto first = limits->Take("a", gauge);
  auto second = limits->Take("a", gauge);
  EXPECT_TRUE(std::holds_alternative<Slot>(second));
  const auto third = limits->Take("a", gauge);
  ASSERT_TRUE(std::holds_alternative<Refusal>(third));
  EXPECT_EQ(std::get<Refusal>(third), Refusal::kNamespace);
  auto other = limits->Take("b", gauge);
  EXPECT_EQ(gauge.Value(), 3);
  const auto fourth = limits->Take("c", gauge);
  ASSERT_TRUE(std::holds_alternative<Refusal>(fourth));
  EXPECT_EQ(std::get<Refusal>(fourth), Refusal::kTotal);
  first = Refusal::kTotal;  // gives the slot back
  EXPECT_EQ(gauge.Value(), 2);
  EXPECT_TRUE(std::holds_alternative<Slot>(limits->Take("a", gauge)));
}

}  // namespace
}  // namespace holdfast::coordination
