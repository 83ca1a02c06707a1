#include "service/http/incoming_body.h"

#include <gtest/gtest.h>

#include <string>

#include "service/http/body_intake.h"

namespace holdfast::api {
namespace {

class IncomingBodyTest : public ::testing::Test {
 protected:
  std::string Read(std::size_t size) {
    std::string into(size, '\0');
    const auto read = body_->Read(into.data(), into.size());
    EXPECT_TRUE(read.ok()) << read.error().ToString();
    into.resize(read.ok() ? *read : 0);
    return into;
  }

  int woken_ = 0;
  const std::shared_ptr<IncomingBody> body_ = std::make_shared<IncomingBody>([this] { ++woken_; });
};

TEST_F(IncomingBodyTest, GivesWhatWasPutInItsOrder) {
  body_->Put("abc");
  body_->Put("def");
  EXPECT_EQ(Read(2), "ab");
  EXPECT_EQ(Read(100), "cdef");
  body_->Put("g");
  body_->End();
  EXPECT_EQ(Read(100), "g");
  EXPECT_EQ(Read(100), "");
  EXPECT_EQ(Read(100), "");
}

TEST_F(IncomingBodyTest, WakesWhoeverWasToldThatItIsFullOnce) {
  EXPECT_FALSE(body_->IsFull());
  body_->Put(std::string(IncomingBody::kMostBytes + 1, 'x'));
  EXPECT_TRUE(body_->IsFull());
  Read(1);
  EXPECT_EQ(woken_, 0) << "it is full still";
  Read(1);
  EXPECT_EQ(woken_, 1);
  Read(1);
  EXPECT_EQ(woken_, 1);
  EXPECT_FALSE(body_->IsFull());
}

TEST_F(IncomingBodyTest, WakesNobodyThatDidNotAsk) {
  body_->Put(std::string(IncomingBody::kMostBytes, 'x'));
  Read(IncomingBody::kMostBytes);
  EXPECT_EQ(woken_, 0);
}

TEST_F(IncomingBodyTest, ThatFailedGivesNothingMore) {
  body_->Put("abc");
  body_->Fail(Error(ErrorCode::kCancelled, "gone"));
  char into = 0;
  EXPECT_EQ(body_->Read(&into, 1).error().code(), ErrorCode::kCancelled);
}

TEST_F(IncomingBodyTest, ThatHasEndedDoesNotFail) {
  body_->Put("abc");
  body_->End();
  body_->Fail(Error(ErrorCode::kCancelled, "gone"));
  EXPECT_EQ(Read(100), "abc");
  EXPECT_EQ(Read(100), "");
}

// A connection, as far as the intake sees it.
class BodyIntakeTest : public IncomingBodyTest {
 protected:
  static void Receive(BodyIntake& intake, std::string_view bytes) {
    const std::span<char> room = intake.Room();
    ASSERT_LE(bytes.size(), room.size());
    bytes.copy(room.data(), bytes.size());
    intake.Commit(bytes.size());
  }

  const ServerLimits limits_;
};

TEST_F(BodyIntakeTest, EndsAtTheLength) {
  Framing framing;
  framing.content_length = 6;
  BodyIntake intake(body_, framing, limits_, "abc");
  EXPECT_FALSE(intake.IsUntouched());
  EXPECT_EQ(intake.Move(), BodyIntake::State::kMore);
  EXPECT_EQ(intake.Room().size(), 3U) << "never beyond the body";
  Receive(intake, "def");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kDone);
  EXPECT_EQ(Read(100), "abcdef");
  EXPECT_EQ(Read(100), "");
}

TEST_F(BodyIntakeTest, KeepsWhatIsBehindTheBody) {
  Framing framing;
  framing.content_length = 3;
  BodyIntake intake(body_, framing, limits_, "abcGET /");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kDone);
  EXPECT_EQ(intake.rest(), "GET /");
}

TEST_F(BodyIntakeTest, TakesChunksApart) {
  Framing framing;
  framing.chunked = true;
  BodyIntake intake(body_, framing, limits_, "");
  EXPECT_TRUE(intake.IsUntouched());
  EXPECT_EQ(intake.Move(), BodyIntake::State::kMore);
  Receive(intake, "3\r\nabc\r");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kMore);
  EXPECT_EQ(Read(100), "abc");
  Receive(intake, "\n0\r\n\r\nrest");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kDone);
  EXPECT_EQ(intake.rest(), "rest");
  EXPECT_EQ(Read(100), "");
}

TEST_F(BodyIntakeTest, TellsOfMalformedChunks) {
  Framing framing;
  framing.chunked = true;
  BodyIntake intake(body_, framing, limits_, "x\r\n");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kRefused);
  char into = 0;
  EXPECT_EQ(body_->Read(&into, 1).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(BodyIntakeTest, PutsNothingIntoAFullBody) {
  Framing framing;
  framing.content_length = 2 * IncomingBody::kMostBytes;
  body_->Put(std::string(IncomingBody::kMostBytes, 'x'));
  BodyIntake intake(body_, framing, limits_, "abc");
  EXPECT_EQ(intake.Move(), BodyIntake::State::kFull);
  Read(IncomingBody::kMostBytes);
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(intake.Move(), BodyIntake::State::kMore);
  EXPECT_EQ(Read(100), "abc");
}

}  // namespace
}  // namespace holdfast::api
