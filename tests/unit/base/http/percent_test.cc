#include <gtest/gtest.h>

#include "base/http/http_client.h"

namespace holdfast::http {
namespace {

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(PercentEncode("Az09-._~"), "Az09-._~");
  EXPECT_EQ(PercentEncode("a/b c?%\xC3\xBC"), "a%2Fb%20c%3F%25%C3%BC");
  EXPECT_EQ(PercentEncode(std::string_view("\0\xFF", 2)), "%00%FF");
  EXPECT_EQ(PercentEncode("a/b=c", "/="), "a/b=c");
}

TEST(PercentDecode, DecodesOnceAndRefusesStrayPercents) {
  EXPECT_EQ(PercentDecode("a%2fb%2Fc+d"), "a/b/c+d");
  EXPECT_EQ(PercentDecode("%2525"), "%25");
  EXPECT_EQ(PercentDecode("%00"), std::string(1, '\0'));
  for (const std::string_view malformed : {"%", "%2", "%g0", "%0g", "a%", "%%20", "%+1"}) {
    EXPECT_EQ(PercentDecode(malformed), std::nullopt) << malformed;
  }
}

TEST(PercentDecode, UndoesEncodingOfEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(PercentDecode(PercentEncode(all)), all);
}

TEST(Headers, AreFoundInAnyCase) {
  const Headers headers{{"Content-Type", "a"}};
  EXPECT_NE(headers.find("content-type"), headers.end());
  EXPECT_EQ(headers.find("content-typ"), headers.end());
}

}  // namespace
}  // namespace holdfast::http
