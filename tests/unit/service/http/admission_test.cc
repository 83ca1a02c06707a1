#include "service/http/admission.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace holdfast::api {
namespace {

using Verdict = Admission::Verdict;
using boost::asio::ip::make_address;

constexpr std::size_t kPlenty = 1'000'000;

TEST(Admission, CountsAllConnectionsAndThoseOfEachAddress) {
  ServerLimits limits;
  limits.max_connections = 3;
  limits.max_connections_per_address = 2;
  Admission admission(limits, kPlenty);
  const auto one = make_address("10.0.0.1");
  const auto two = make_address("2001:db8::1");
  EXPECT_EQ(admission.Enter(one, 10), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(one, 11), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(one, 12), Verdict::kTooManyOfAddress);
  EXPECT_EQ(admission.Enter(two, 12), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(two, 13), Verdict::kTooMany);
  EXPECT_EQ(admission.connections(), 3u);
  EXPECT_FALSE(admission.Leave(one));
  EXPECT_EQ(admission.Enter(one, 10), Verdict::kAdmitted);
  EXPECT_FALSE(admission.Leave(one));
  EXPECT_FALSE(admission.Leave(two));
  EXPECT_TRUE(admission.Leave(one));
}

TEST(Admission, WithoutALimitOnAddressesOneMayHaveThemAll) {
  ServerLimits limits;
  limits.max_connections = 100;
  Admission admission(limits, kPlenty);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(admission.Enter(make_address("10.0.0.1"), 10), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(make_address("10.0.0.1"), 10), Verdict::kTooMany);
}

TEST(Admission, LeavesTheLastDescriptorsAlone) {
  ServerLimits limits;
  limits.reserved_descriptors = 100;
  Admission admission(limits, 1024);
  EXPECT_EQ(admission.Enter(make_address("::1"), 923), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(make_address("::1"), 924), Verdict::kFewDescriptors);
}

TEST(Admission, NeverReservesMoreThanHalf) {
  ServerLimits limits;
  limits.reserved_descriptors = 5000;
  Admission admission(limits, 1024);
  EXPECT_EQ(admission.Enter(make_address("::1"), 511), Verdict::kAdmitted);
  EXPECT_EQ(admission.Enter(make_address("::1"), 512), Verdict::kFewDescriptors);
}

TEST(Admission, IsOverloadedWhileTooManyRequestsAreInProgress) {
  ServerLimits limits;
  limits.max_requests = 2;
  Admission admission(limits, kPlenty);
  admission.BeginRequest();
  EXPECT_FALSE(admission.overloaded());
  admission.BeginRequest();
  EXPECT_TRUE(admission.overloaded());
  admission.EndRequest();
  EXPECT_FALSE(admission.overloaded());
}

TEST(Admission, HoldsItsLimitsAgainstManyThreads) {
  ServerLimits limits;
  limits.max_connections = 1000;
  limits.max_connections_per_address = 5;
  Admission admission(limits, kPlenty);
  const auto address = make_address("10.0.0.1");
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 20'000; ++turn) {
        if (admission.Enter(address, 10) != Verdict::kAdmitted) continue;
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
        admission.Leave(address);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 5);
  EXPECT_EQ(admission.connections(), 0u);
}

}  // namespace
}  // namespace holdfast::api
