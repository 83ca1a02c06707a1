#include "service/http/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::api {
namespace {

using State = ChunkDecoder::State;

struct Outcome {
  State state = State::kMore;
  int status = 0;
  std::string body;
  std::string left;

  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "state " << static_cast<int>(outcome.state) << " status " << outcome.status << " body \""
             << outcome.body << "\" left \"" << outcome.left << '"';
}

Outcome Decode(const std::string& input, std::size_t step, std::size_t max_body = 1000) {
  ServerLimits limits;
  limits.max_chunk_line_bytes = 20;
  limits.max_trailer_bytes = 40;
  ChunkDecoder decoder(limits, max_body);
  Outcome outcome;
  std::size_t position = 0;
  while (position < input.size() && outcome.state == State::kMore) {
    std::string_view piece = std::string_view(input).substr(position, step);
    const std::size_t given = piece.size();
    outcome.state = decoder.Decode(piece, outcome.body);
    position += given - piece.size();
  }
  if (outcome.state == State::kRefused) {
    outcome.status = decoder.refusal().status;
    outcome.body.clear();
  } else {
    outcome.left = input.substr(position);
  }
  return outcome;
}

// The same whole and in pieces of every small size.
Outcome DecodeAnyhow(const std::string& input, std::size_t max_body = 1000) {
  Outcome whole = Decode(input, input.size(), max_body);
  for (std::size_t step = 1; step < 8; ++step) EXPECT_EQ(Decode(input, step, max_body), whole) << input;
  return whole;
}

TEST(ChunkDecoder, JoinsChunksAndStopsAtTheirEnd) {
  EXPECT_EQ(DecodeAnyhow("5\r\nhello\r\n1;a=b\r\n \r\n00A\r\n0123456789\r\n0\r\n\r\nGET /"),
            (Outcome{State::kDone, 0, "hello 0123456789", "GET /"}));
  EXPECT_EQ(DecodeAnyhow("0\r\n\r\n"), (Outcome{State::kDone, 0, "", ""}));
  EXPECT_EQ(DecodeAnyhow("2\r\n\r\n\r\n0\r\n\r\n"), (Outcome{State::kDone, 0, "\r\n", ""}));
}

TEST(ChunkDecoder, ChecksTrailersAndDropsThem) {
  EXPECT_EQ(DecodeAnyhow("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nrest"), (Outcome{State::kDone, 0, "x", "rest"}));
  for (const char* trailer : {" A: b\r\n\r\n", "A b\r\n\r\n", ":b\r\n\r\n", "A: b\n\r\n", "A: b\rc\r\n\r\n",
                              "A: \x01\r\n", "\n", "\rx", "A: b\r\n folded\r\n\r\n"}) {
    EXPECT_EQ(DecodeAnyhow(std::string("0\r\n") + trailer).status, 400) << trailer;
  }
  EXPECT_EQ(DecodeAnyhow("0\r\nA: " + std::string(100, 'b')).status, 431);
}

TEST(ChunkDecoder, RefusesWhatIsNotASize) {
  for (const char* input : {"\r\n", "g\r\n", "0x5\r\nhello\r\n", "+5\r\nhello", "-1\r\n", " 5\r\nhello", "5 \r\nhello",
                            "5\nhello", "5\r\rhello", ";a\r\n", "00000000000000005\r\nhello", "10000000000000000\r\n",
                            "5;\x01\r\nhello", "5;a\nhello"}) {
    EXPECT_EQ(DecodeAnyhow(input).status, 400) << input;
  }
}

TEST(ChunkDecoder, RefusesDataThatDoesNotEndWithItsChunk) {
  for (const char* input :
       {"5\r\nhello!\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n"}) {
    EXPECT_EQ(DecodeAnyhow(input).status, 400) << input;
  }
}

TEST(ChunkDecoder, RefusesTooLongABodyBeforeItsData) {
  EXPECT_EQ(DecodeAnyhow("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5), (Outcome{State::kDone, 0, "abcde", ""}));
  EXPECT_EQ(DecodeAnyhow("3\r\nabc\r\n3\r", 5).status, 413);
  EXPECT_EQ(DecodeAnyhow("ffffffffffffffff\r", 5).status, 413);
  EXPECT_EQ(DecodeAnyhow("1\r", 0).status, 413);
}

TEST(ChunkDecoder, LimitsTheLineOfAChunk) {
  EXPECT_EQ(DecodeAnyhow("1;" + std::string(17, 'a') + "\r\nx\r\n0\r\n\r\n").state, State::kDone);
  EXPECT_EQ(DecodeAnyhow("1;" + std::string(19, 'a')).status, 400);
  EXPECT_EQ(
      DecodeAnyhow("1;" + std::string(17, 'a') + "\r\nx\r\n1;" + std::string(17, 'a') + "\r\ny\r\n0\r\n\r\n").body,
      "xy");
}

}  // namespace
}  // namespace holdfast::api
