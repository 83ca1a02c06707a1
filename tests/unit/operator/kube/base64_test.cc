#include "operator/kube/base64.h"

#include <random>

namespace holdfast::kube {
namespace {

TEST(Base64, KnownTexts) {
  // RFC 4648 section 10.
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(Base64Encode(bytes), text);
    EXPECT_EQ(*Base64Decode(text), bytes);
  }
}

TEST(Base64, EveryByteComesBack) {
  std::mt19937 random(1);
  for (int length = 0; length < 300; ++length) {
    std::string bytes;
    for (int i = 0; i < length; ++i) bytes.push_back(static_cast<char>(random()));
    const auto decoded = Base64Decode(Base64Encode(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, bytes);
  }
}

TEST(Base64, LineBreaksAreSkipped) {
  EXPECT_EQ(*Base64Decode("Zm9v\r\nYmFy\n"), "foobar");
}

TEST(Base64, ForeignTextIsRefusedAndNotRepeated) {
  for (const char* text : {"Zg", "Zg=", "Z", "=", "====", "Zg==Zg==", "Zg=a", "Zm9v*", "Zm-_", "Zg==="}) {
    const auto decoded = Base64Decode(text);
    ASSERT_FALSE(decoded.ok()) << text;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kInvalidArgument);
  }
  const auto decoded = Base64Decode("c2VjcmV0*");
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().message().find("c2VjcmV0"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::kube
