#include "service/http/streamed_body.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace holdfast::api {
namespace {

using State = BodyStream::State;

// Gives the pieces one by one, each with its state.
class Scripted final : public BodyStream {
 public:
  explicit Scripted(std::vector<std::pair<std::string, State>> pieces) : pieces_(std::move(pieces)) {}
  void Start(std::function<void()>) override {}
  State Pull(std::string* out, std::size_t) override {
    const auto& [piece, state] = pieces_.at(next_++);  // throws behind the last
    *out += piece;
    return state;
  }

 private:
  std::vector<std::pair<std::string, State>> pieces_;
  std::size_t next_ = 0;
};

StreamedBody Chunked(std::vector<std::pair<std::string, State>> pieces) {
  return {std::make_shared<Scripted>(std::move(pieces)), true};
}

TEST(StreamedBody, FramesEachPullAsOneChunk) {
  StreamedBody body = Chunked({{"0123456789abcdefg", State::kMore}, {"x", State::kWait}});
  std::string out = "head";
  EXPECT_EQ(body.Pull(out, 100), State::kMore);
  EXPECT_EQ(out, "head0000000011\r\n0123456789abcdefg\r\n");
  out.clear();
  EXPECT_EQ(body.Pull(out, 100), State::kWait);
  EXPECT_EQ(out, "0000000001\r\nx\r\n");
}

TEST(StreamedBody, DoesNotFrameNothingBecauseThatIsTheLastChunk) {
  StreamedBody body = Chunked({{"", State::kMore}, {"", State::kWait}, {"", State::kEnd}});
  std::string out;
  EXPECT_EQ(body.Pull(out, 100), State::kMore);
  EXPECT_EQ(body.Pull(out, 100), State::kWait);
  EXPECT_EQ(out, "");
  EXPECT_EQ(body.Pull(out, 100), State::kEnd);
  EXPECT_EQ(out, "0\r\n\r\n");
}

TEST(StreamedBody, EndsWithTheLastChunkBehindTheLastPiece) {
  StreamedBody body = Chunked({{"end", State::kEnd}});
  std::string out;
  EXPECT_EQ(body.Pull(out, 100), State::kEnd);
  EXPECT_EQ(out, "0000000003\r\nend\r\n0\r\n\r\n");
}

TEST(StreamedBody, LeavesOutWhatAFailedPullGave) {
  StreamedBody body = Chunked({{"half a rec", State::kFailed}});
  std::string out = "before";
  EXPECT_EQ(body.Pull(out, 100), State::kFailed);
  EXPECT_EQ(out, "before");
}

TEST(StreamedBody, TakesAnExceptionForAFailure) {
  StreamedBody body = Chunked({});
  std::string out = "before";
  EXPECT_EQ(body.Pull(out, 100), State::kFailed);
  EXPECT_EQ(out, "before");
}

TEST(StreamedBody, FailsWhenItCannotStart) {
  class Broken final : public BodyStream {
    void Start(std::function<void()>) override { throw std::runtime_error("thrown by the test"); }
    State Pull(std::string* out, std::size_t) override {
      *out += "never";
      return State::kMore;
    }
  };
  StreamedBody body(std::make_shared<Broken>(), true);
  body.Start([] {});
  std::string out;
  EXPECT_EQ(body.Pull(out, 100), State::kFailed);
  EXPECT_EQ(out, "");
}

TEST(StreamedBody, IsBareWithoutChunks) {
  StreamedBody body(
      std::make_shared<Scripted>(std::vector<std::pair<std::string, State>>{{"a", State::kMore}, {"b", State::kEnd}}),
      false);
  std::string out;
  EXPECT_EQ(body.Pull(out, 100), State::kMore);
  EXPECT_EQ(body.Pull(out, 100), State::kEnd);
  EXPECT_EQ(out, "ab");
}

}  // namespace
}  // namespace holdfast::api
