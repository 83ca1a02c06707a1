#include "service/documents/index_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

namespace holdfast::documents {
namespace {

constexpr std::size_t kMost = 256;
constexpr auto kLeast64 = std::numeric_limits<std::int64_t>::min();
constexpr auto kMost64 = std::numeric_limits<std::int64_t>::max();

std::string Encode(const IndexValue& value) {
  return EncodeIndexValue(value, kMost);
}

// Compared without the encoding: long double holds every int64 and every double exactly.
static_assert(std::numeric_limits<long double>::digits >= 64);
long double Number(const IndexValue& value) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? static_cast<long double>(*integer) : static_cast<long double>(std::get<double>(value));
}

bool IsNumber(const IndexValue& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

int Kind(const IndexValue& value) {
  if (std::holds_alternative<Missing>(value)) return 0;
  if (std::holds_alternative<Null>(value)) return 1;
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? 3 : 2;
  if (IsNumber(value)) return 4;
  return std::holds_alternative<std::string>(value) ? 5 : 6;
}

int Compare(const IndexValue& a, const IndexValue& b) {
  if (Kind(a) != Kind(b)) return Kind(a) < Kind(b) ? -1 : 1;
  if (IsNumber(a)) return Number(a) < Number(b) ? -1 : Number(a) > Number(b) ? 1 : 0;
  if (const auto* text = std::get_if<std::string>(&a)) return text->compare(std::get<std::string>(b));
  return 0;
}

int Sign(int number) {
  return number < 0 ? -1 : number > 0 ? 1 : 0;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  std::int64_t Integer() {
    switch (Below(4)) {
      case 0:
        return static_cast<std::int64_t>(Below(7)) - 3;
      case 1:
        return kMost64 - static_cast<std::int64_t>(Below(3000));
      case 2:
        return kLeast64 + static_cast<std::int64_t>(Below(3000));
      default:
        return static_cast<std::int64_t>(random_()) >> Below(64);
    }
  }

  double Double() {
    for (;;) {
      switch (Below(3)) {
        case 0:
          return static_cast<double>(Integer());
        case 1:
          return static_cast<double>(Integer()) / 4;
        default: {
          const std::uint64_t bits = random_();
          double number = 0;
          static_assert(sizeof number == sizeof bits);
          std::memcpy(&number, &bits, sizeof number);
          if (std::isfinite(number)) return number;
        }
      }
    }
  }

  std::string Text() {
    static const std::string kBytes(
        "\0\x01\x02\xff"
        "ab",
        6);
    std::string text;
    for (std::uint64_t left = Below(6); left > 0; --left) text.push_back(kBytes[Below(kBytes.size())]);
    return text;
  }

  IndexValue Value() {
    switch (Below(12)) {
      case 0:
        return Missing{};
      case 1:
        return Null{};
      case 2:
        return Below(2) == 0;
      case 3:
        return Composite{};
      case 4:
      case 5:
      case 6:
        return Integer();
      case 7:
      case 8:
        return Double();
      default:
        return Text();
    }
  }

 private:
  std::mt19937_64 random_;
};

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

TEST(IndexValue, EncodedBytesCompareAsTheValuesDo) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  Generator generator(seed);
  for (int pair = 0; pair < 200'000 && !testing::Test::HasFailure(); ++pair) {
    const IndexValue a = generator.Value();
    const IndexValue b = generator.Value();
    ASSERT_EQ(Sign(Encode(a).compare(Encode(b))), Sign(Compare(a, b))) << "pair " << pair;
  }
}

TEST(IndexValue, IntegersAndDoublesAtTheEdgesHaveOneOrder) {
  const std::vector<IndexValue> rising = {-std::numeric_limits<double>::max(),
                                          -0x1.0000000000001p63,
                                          kLeast64,
                                          kLeast64 + 1,
                                          kLeast64 + 2,
                                          std::int64_t{-9007199254740993},
                                          -9007199254740992.0,
                                          -1.5,
                                          std::int64_t{-1},
                                          -std::numeric_limits<double>::denorm_min(),
                                          std::int64_t{0},
                                          std::numeric_limits<double>::denorm_min(),
                                          std::int64_t{1},
                                          1.5,
                                          9007199254740992.0,
                                          std::int64_t{9007199254740993},
                                          kMost64 - 1023,
                                          kMost64 - 1,
                                          kMost64,
                                          0x1p63,
                                          std::numeric_limits<double>::max()};
  for (std::size_t i = 1; i < rising.size(); ++i) EXPECT_LT(Encode(rising[i - 1]), Encode(rising[i])) << i;
}

TEST(IndexValue, EqualNumbersEncodeAlike) {
  EXPECT_EQ(Encode(std::int64_t{5}), Encode(5.0));
  EXPECT_EQ(Encode(0.0), Encode(-0.0));
  EXPECT_EQ(Encode(kLeast64), Encode(-0x1p63));
}

TEST(IndexValue, AnIdMayFollow) {
  Generator generator(Seed());
  for (int i = 0; i < 20'000; ++i) {
    const std::string encoded = Encode(generator.Value());
    ASSERT_EQ(IndexValueBytes(encoded + generator.Text()), encoded.size());
    if (encoded.size() > 1) {
      ASSERT_EQ(IndexValueBytes(encoded.substr(0, encoded.size() - 1)), 0u);
    }
  }
  EXPECT_EQ(IndexValueBytes(""), 0u);
  EXPECT_EQ(IndexValueBytes("\x7f"), 0u);
  EXPECT_EQ(IndexValueBytes(std::string("\x30"
                                        "a\0b",
                                        4)),
            0u);
}

TEST(IndexValue, LongStringsAreCutAndMarkedAndKeepTheirPlace) {
  constexpr std::size_t kShort = 4;
  const auto encode = [](const std::string& text) { return EncodeIndexValue(text, kShort); };
  EXPECT_FALSE(IsCut(encode("abcd")));
  EXPECT_TRUE(IsCut(encode("abcde")));
  EXPECT_EQ(encode("abcde"), encode("abcdf"));
  EXPECT_LT(encode("abcd"), encode("abcda"));
  EXPECT_LT(encode("abcda"), encode("abce"));
  // A zero byte needs two: it is never cut in half.
  EXPECT_TRUE(IsCut(encode(std::string("abc\0", 4))));
  EXPECT_LT(encode("abc"), encode(std::string("abc\0", 4)));
  EXPECT_LT(encode(std::string("abc\0", 4)), encode("abcd"));
  EXPECT_FALSE(IsCut(Encode(std::string("\0\x02", 2))));
}

TEST(IndexValue, CutStringsStayInWeakOrder) {
  Generator generator(Seed());
  for (int pair = 0; pair < 50'000; ++pair) {
    const std::string a = generator.Text();
    const std::string b = generator.Text();
    const std::size_t most = generator.Below(5);
    const int encoded = Sign(EncodeIndexValue(a, most).compare(EncodeIndexValue(b, most)));
    if (encoded != 0) {
      ASSERT_EQ(encoded, Sign(a.compare(b))) << pair;
    }
  }
}

TEST(IndexValue, AKindIsARangeOfItsOwn) {
  Generator generator(Seed());
  for (int i = 0; i < 20'000; ++i) {
    const IndexValue a = generator.Value();
    const IndexValue b = generator.Value();
    const bool same = a.index() == b.index() || (IsNumber(a) && IsNumber(b));
    ASSERT_EQ(SameKind(a).Contains(Encode(b)), same) << i;
  }
}

}  // namespace
}  // namespace holdfast::documents
