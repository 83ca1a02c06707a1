#include "service/http/output_buffer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace holdfast::api {
namespace {

class OutputBufferTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0);
    const int small = 4096;
    ASSERT_EQ(::setsockopt(ends_[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  }
  void TearDown() override {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }
  std::string Take() {
    std::string taken(1u << 16, '\0');
    const ssize_t bytes = ::recv(ends_[1], taken.data(), taken.size(), MSG_DONTWAIT);
    taken.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return taken;
  }

  std::array<int, 2> ends_{};
  OutputBuffer output_;
};

TEST_F(OutputBufferTest, ShortBodiesShareTheBufferWithTheirHeads) {
  output_.text() = "head1 ";
  Response response;
  response.body = "body1 ";
  output_.AppendBody(std::move(response));
  output_.text() += "head2";
  bool progress = false;
  EXPECT_EQ(output_.SendTo(ends_[0], progress), OutputBuffer::Outcome::kAllSent);
  EXPECT_TRUE(progress);
  EXPECT_TRUE(output_.empty());
  EXPECT_EQ(Take(), "head1 body1 head2");
}

TEST_F(OutputBufferTest, ALongEntryIsSentInAsManyWritesAsItTakes) {
  auto entry = std::make_shared<storage::Entry>();
  for (int i = 0; i < 100'000; ++i) entry->value += static_cast<char>('a' + i % 26);
  const std::string expected = "head" + entry->value;
  Response response;
  response.entry = entry;
  output_.text() = "head";
  output_.AppendBody(std::move(response));
  EXPECT_TRUE(output_.full());
  EXPECT_EQ(entry.use_count(), 2);  // held, not copied

  std::string received;
  bool blocked = false;
  for (;;) {
    bool progress = false;
    const auto outcome = output_.SendTo(ends_[0], progress);
    ASSERT_NE(outcome, OutputBuffer::Outcome::kFailed);
    EXPECT_TRUE(progress);
    received += Take();
    if (outcome == OutputBuffer::Outcome::kAllSent) break;
    blocked = true;
  }
  while (received.size() < expected.size()) received += Take();
  EXPECT_TRUE(blocked);
  EXPECT_EQ(received, expected);
  EXPECT_EQ(entry.use_count(), 1);
}

TEST_F(OutputBufferTest, AClosedPeerIsAFailureAndNoSignal) {
  ::close(ends_[1]);
  ends_[1] = -1;
  output_.text() = "lost";
  bool progress = false;
  EXPECT_EQ(output_.SendTo(ends_[0], progress), OutputBuffer::Outcome::kFailed);
  EXPECT_FALSE(progress);
}

}  // namespace
}  // namespace holdfast::api
