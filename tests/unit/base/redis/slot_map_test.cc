#include "base/redis/slot_map.h"

#include <gtest/gtest.h>

namespace holdfast::redis {
namespace {

const Address kAsked{"asked", 7000, {}};

Value Node(Value host, std::int64_t port) {
  return Value::Array({std::move(host), Value::Integer(port), Value::String("id")});
}

Value Range(std::int64_t first, std::int64_t last, Value master) {
  return Value::Array(
      {Value::Integer(first), Value::Integer(last), std::move(master), Node(Value::String("replica"), 1)});
}

TEST(RedisSlotMap, EverySlotHasItsMasterOrNone) {
  const auto map = SlotMap::FromClusterSlots(
      Value::Array({Range(0, 100, Node(Value::String("a"), 1)), Range(101, 101, Node(Value::String("b"), 2)),
                    Range(200, 16'383, Node(Value::String("a"), 1))}),
      kAsked);
  ASSERT_TRUE(map.ok()) << map.error().message();
  EXPECT_EQ(map->MasterOf(0)->ToString(), "a:1");
  EXPECT_EQ(map->MasterOf(101)->ToString(), "b:2");
  EXPECT_EQ(map->MasterOf(102), nullptr);
  EXPECT_EQ(map->MasterOf(16'383)->ToString(), "a:1");
  EXPECT_EQ(map->masters().size(), 2u);
}

TEST(RedisSlotMap, ANodeThatDoesNotKnowItsAddressHasTheOneThatWasAsked) {
  for (const Value& host : {Value(), Value::String(""), Value::String("?")}) {
    const auto map = SlotMap::FromClusterSlots(Value::Array({Range(0, 1, Node(host, 7001))}), kAsked);
    ASSERT_TRUE(map.ok());
    EXPECT_EQ(map->MasterOf(1)->ToString(), "asked:7001");
  }
}

TEST(RedisSlotMap, WhatIsNoMapIsRefused) {
  const Value node = Node(Value::String("a"), 1);
  for (const Value& answer :
       {Value(), Value::String("x"), Value::Array({}), Value::Array({Value::Integer(1)}),
        Value::Array({Range(-1, 1, node)}), Value::Array({Range(0, 16'384, node)}), Value::Array({Range(2, 1, node)}),
        Value::Array({Range(0, 1, Node(Value::String("a"), 0))}),
        Value::Array({Range(0, 1, Node(Value::String("a"), 65'536))}),
        Value::Array({Range(0, 1, Node(Value::Integer(1), 1))}), Value::Array({Range(0, 1, Value())})}) {
    const auto map = SlotMap::FromClusterSlots(answer, kAsked);
    ASSERT_FALSE(map.ok());
    EXPECT_EQ(map.error().code(), ErrorCode::kUnavailable);
  }
  std::vector<Value> many;
  for (std::size_t i = 0; i <= kMaxClusterNodes; ++i) {
    many.push_back(Range(0, 1, Node(Value::String("a"), static_cast<std::int64_t>(i) + 1)));
  }
  EXPECT_FALSE(SlotMap::FromClusterSlots(Value::Array(std::move(many)), kAsked).ok());
}

TEST(RedisSlotMap, RefusalsSayWhereToGo) {
  const Refusal moved = RefusalOf("MOVED 3999 127.0.0.1:6381", kAsked);
  EXPECT_EQ(moved.kind, Refusal::Kind::kMoved);
  EXPECT_EQ(moved.address.ToString(), "127.0.0.1:6381");
  const Refusal ask = RefusalOf("ASK 3999 ::1:6381", kAsked);
  EXPECT_EQ(ask.kind, Refusal::Kind::kAsk);
  EXPECT_EQ(ask.address.ToString(), "[::1]:6381");
  EXPECT_EQ(RefusalOf("MOVED 3999 :6381", kAsked).address.ToString(), "asked:6381");
  for (const char* line : {"TRYAGAIN Multiple keys request", "CLUSTERDOWN Hash slot not served", "READONLY You can't",
                           "MASTERDOWN Link", "LOADING Redis is loading"}) {
    EXPECT_EQ(RefusalOf(line, kAsked).kind, Refusal::Kind::kLater) << line;
  }
  for (const char* line :
       {"", "MOVED", "MOVED ", "MOVED 1", "MOVED 1 a", "MOVED 1 a:0", "MOVED 1 a:x", "ERR no", "CROSSSLOT Keys"}) {
    EXPECT_EQ(RefusalOf(line, kAsked).kind, Refusal::Kind::kNone) << line;
  }
}

}  // namespace
}  // namespace holdfast::redis
