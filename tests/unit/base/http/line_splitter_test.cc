#include "base/http/line_splitter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace holdfast::http {
namespace {

using State = LineSplitter::State;

TEST(LineSplitter, GivesTheSameLinesHoweverTheTextIsCut) {
  const char* seed_text = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = seed_text == nullptr ? 1 : std::stoull(seed_text);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> expected;
    std::string text;
    for (std::uint64_t lines = random() % 6; lines > 0; --lines) {
      expected.emplace_back(random() % 5, static_cast<char>('a' + random() % 26));
      text += expected.back() + "\n";
    }
    if (random() % 2 == 0) {
      expected.emplace_back("tail");
      text += "tail";
    }
    std::vector<std::string> lines;
    const std::function<bool(std::string_view)> keep = [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    };
    LineSplitter splitter(5, keep);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t cut = std::min<std::size_t>(rest.size(), random() % 4);
      ASSERT_EQ(splitter.Feed(rest.substr(0, cut)), State::kGoingOn);
      rest.remove_prefix(cut);
    }
    splitter.Finish();
    ASSERT_EQ(lines, expected);
  }
}

TEST(LineSplitter, StopsAtALineTooLongAndDeliversNothingAfterIt) {
  int lines = 0;
  const std::function<bool(std::string_view)> count = [&](std::string_view) {
    ++lines;
    return true;
  };
  LineSplitter splitter(3, count);
  EXPECT_EQ(splitter.Feed("abc\nab"), State::kGoingOn);
  EXPECT_EQ(splitter.Feed("cd"), State::kLineTooLong);
  EXPECT_EQ(splitter.Feed("\nx\n"), State::kLineTooLong);
  splitter.Finish();
  EXPECT_EQ(lines, 1);
}

TEST(LineSplitter, StopsWhenTheReaderHasEnough) {
  int lines = 0;
  const std::function<bool(std::string_view)> one = [&](std::string_view) {
    ++lines;
    return false;
  };
  LineSplitter splitter(10, one);
  EXPECT_EQ(splitter.Feed("a\nb\nc"), State::kEndedByReader);
  splitter.Finish();
  EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace holdfast::http
