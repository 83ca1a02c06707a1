#include "service/http/input_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace holdfast::api {
namespace {

void Receive(InputBuffer& buffer, std::string_view bytes) {
  buffer.EnsureTail(bytes.size());
  ASSERT_GE(buffer.tail().size(), bytes.size());
  std::memcpy(buffer.tail().data(), bytes.data(), bytes.size());
  buffer.Commit(bytes.size());
}

TEST(InputBuffer, KeepsTheRequestWhileItsBytesAreConsumed) {
  InputBuffer buffer;
  Receive(buffer, "headbody");
  buffer.Consume(4);
  EXPECT_EQ(buffer.request(), "headbody");
  EXPECT_EQ(buffer.unread(), "body");
}

TEST(InputBuffer, TheNextRequestBeginsBehindWhatWasConsumed) {
  InputBuffer buffer;
  Receive(buffer, "onetwo");
  buffer.Consume(3);
  buffer.EndRequest();
  EXPECT_EQ(buffer.request(), "two");
  EXPECT_EQ(buffer.unread(), "two");
}

TEST(InputBuffer, TellsWhenItHasMoved) {
  InputBuffer buffer;
  EXPECT_TRUE(buffer.EnsureTail(1));
  EXPECT_FALSE(buffer.EnsureTail(InputBuffer::kInitialBytes));
  const std::string first(InputBuffer::kInitialBytes - 10, 'a');
  Receive(buffer, first);
  Receive(buffer, "0123456789");
  buffer.Consume(first.size());
  buffer.EndRequest();
  EXPECT_TRUE(buffer.EnsureTail(100));  // to the front
  EXPECT_EQ(buffer.request(), "0123456789");
  EXPECT_TRUE(buffer.EnsureTail(100'000));  // to a larger place
  EXPECT_EQ(buffer.request(), "0123456789");
  EXPECT_GE(buffer.tail().size(), 100'000u);
}

TEST(InputBuffer, RewindGivesBackWhatIsBehindTheHead) {
  InputBuffer buffer;
  Receive(buffer, "headchunk");
  buffer.Consume(9);
  buffer.Rewind(4);
  EXPECT_EQ(buffer.request(), "head");
  EXPECT_EQ(buffer.unread(), "");
  Receive(buffer, "more");
  EXPECT_EQ(buffer.request(), "headmore");
  EXPECT_EQ(buffer.unread(), "more");
}

TEST(InputBuffer, GivesALargeBufferBackBetweenRequests) {
  InputBuffer buffer;
  Receive(buffer, std::string(InputBuffer::kKeptBytes + 1, 'a'));
  buffer.Consume(InputBuffer::kKeptBytes + 1);
  buffer.EndRequest();
  EXPECT_TRUE(buffer.tail().empty());
}

}  // namespace
}  // namespace holdfast::api
