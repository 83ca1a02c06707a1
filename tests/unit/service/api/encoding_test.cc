#include "service/api/encoding.h"

#include <random>

namespace holdfast::api {
namespace {

using namespace std::string_literals;

TEST(EncodingTest, Utf8AsUnicodeDefinesIt) {
  for (const std::string& valid : {""s, "plain"s, "\0"s, "\x7f"s, "é"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s,
                                   "\xee\x80\x80"s, "\xef\xbf\xbf"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_TRUE(IsValidUtf8(valid)) << Base64Encode(valid);
  }
  for (const std::string& invalid :
       {"\x80"s, "\xc0\xaf"s, "\xc1\xbf"s, "\xc2"s, "\xc2\x41"s, "\xe0\x9f\xbf"s, "\xe2\x82"s, "\xed\xa0\x80"s,
        "\xf0\x8f\xbf\xbf"s, "\xf0\x90\x80"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "ok\xfe"s}) {
    EXPECT_FALSE(IsValidUtf8(invalid)) << Base64Encode(invalid);
  }
}

TEST(EncodingTest, Base64TestVectors) {
  // RFC 4648, section 10.
  const std::pair<std::string, std::string> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : rows) {
    EXPECT_EQ(Base64Encode(bytes), text);
    EXPECT_EQ(Base64Decode(text), bytes);
  }
  EXPECT_EQ(Base64UrlEncode("\xfb\xff"), "-_8");
}

TEST(EncodingTest, Base64RefusesEverySpellingButItsOwn) {
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm-v", "Zm9v====", "=", "====", "Z=g="}) {
    EXPECT_FALSE(Base64Decode(text)) << text;
  }
  for (const char* text : {"Zg==", "Z", "Zh", "Zm9/"}) EXPECT_FALSE(Base64UrlDecode(text)) << text;
}

TEST(EncodingTest, Base64RoundTripsRandomBytes) {
  std::mt19937_64 random{1};
  for (std::size_t length = 0; length < 100; ++length) {
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(random()));
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)), bytes);
  }
}

TEST(EncodingTest, PercentIsDecodedOnce) {
  EXPECT_EQ(DecodePercent("a+b"), "a+b");
  EXPECT_EQ(DecodePercent("%2541"), "%41");
  EXPECT_EQ(DecodePercent("%00%fF"), "\0\xff"s);
  for (const char* text : {"%", "%4", "%4g", "%%41", "a%", "%-1", "% 1"}) EXPECT_FALSE(DecodePercent(text)) << text;
}

}  // namespace
}  // namespace holdfast::api
