#include "base/redis/slot.h"

#include <gtest/gtest.h>

namespace holdfast::redis {
namespace {

// The check value of the algorithm, and what CLUSTER KEYSLOT says.
TEST(RedisSlot, SlotsAreThoseOfTheServer) {
  EXPECT_EQ(Crc16("123456789"), 0x31c3);
  EXPECT_EQ(Crc16(""), 0);
  EXPECT_EQ(Crc16("56789", Crc16("1234")), 0x31c3);
  EXPECT_EQ(SlotOf("foo"), 12'182);
  EXPECT_EQ(SlotOf("bar"), 5'061);
  EXPECT_EQ(SlotOf("hello"), 866);
  EXPECT_EQ(SlotOf(""), 0);
}

TEST(RedisSlot, HashTagsAreReadAsTheServerReadsThem) {
  EXPECT_EQ(HashTagOf("{user1000}.following"), "user1000");
  EXPECT_EQ(HashTagOf("foo{bar}{zap}"), "bar");
  EXPECT_EQ(HashTagOf("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(HashTagOf("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(HashTagOf("foo{bar"), "foo{bar");
  EXPECT_EQ(HashTagOf("foo}bar{"), "foo}bar{");
  EXPECT_EQ(HashTagOf("}{a}"), "a");
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("user1000"));
}

}  // namespace
}  // namespace holdfast::redis
