#include "service/idempotency/replay_row.h"

#include <gtest/gtest.h>

namespace holdfast::idempotency {
namespace {

TEST(ReplayRowTest, ComesBackAsItWas) {
  ReplayRow begun;
  begun.fingerprint = "abc";
  begun.until = Timestamp{std::chrono::microseconds{1'795'240'000'123'456}};
  auto read = ReplayRow::Decode(begun.Encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state, ReplayRow::State::kBegun);
  EXPECT_EQ(read->fingerprint, "abc");
  EXPECT_EQ(read->until, begun.until);

  ReplayRow done;
  done.state = ReplayRow::State::kDone;
  done.fingerprint = "abc";
  done.answer = {201, "application/json", {{"ETag", "\"7\""}, {"X", "a:b"}}, std::string("\n1\n\0", 4)};
  read = ReplayRow::Decode(done.Encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->answer.status, 201);
  EXPECT_EQ(read->answer.content_type, "application/json");
  EXPECT_EQ(read->answer.headers, done.answer.headers);
  EXPECT_EQ(read->answer.body, done.answer.body);

  done.answer = {204, "", {}, ""};
  read = ReplayRow::Decode(done.Encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->answer.status, 204);
  EXPECT_TRUE(read->answer.headers.empty());

  done.state = ReplayRow::State::kDropped;
  read = ReplayRow::Decode(done.Encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state, ReplayRow::State::kDropped);
}

TEST(ReplayRowTest, WhatIsNoRowIsRefused) {
  for (const char* bytes :
       {"", "1", "1\n", "2\nbegun\nabc\n5\n", "1\ngone\nabc\n5\n", "1\nbegun\nabc\n5x\n", "1\nbegun\nabc\n\n",
        "1\ndone\nabc\n200\n", "1\ndone\nabc\n200\ntext\n", "1\ndone\nabc\n200\ntext\nheader\n\nbody"}) {
    EXPECT_FALSE(ReplayRow::Decode(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace holdfast::idempotency
