// The examples of "Authenticating Requests: Using the Authorization Header" in the Amazon S3 API reference.
#include "service/s3/signature.h"

#include <gmock/gmock.h>

#include "base/time/duration.h"

namespace holdfast::s3 {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const SigningKey kKey{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

std::string AuthorizationOf(UnsignedRequest request) {
  request.headers["Host"] = "examplebucket.s3.amazonaws.com";
  return Sign(request, kKey, "us-east-1", *ParseTimestamp("2013-05-24T00:00:00Z")).at("Authorization");
}

TEST(Signature, OfAnObjectThatIsRead) {
  EXPECT_EQ(AuthorizationOf({"GET", "/test.txt", {}, {{"Range", "bytes=0-9"}}, ""}),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Signature, OfAnObjectThatIsWritten) {
  EXPECT_THAT(
      AuthorizationOf({"PUT",
                       "/test%24file.text",
                       {},
                       {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                       "Welcome to Amazon S3."}),
      EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(Signature, OfAQueryWithoutAValue) {
  EXPECT_THAT(AuthorizationOf({"GET", "/", {{"lifecycle", ""}}, {}, ""}),
              EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(Signature, OfAList) {
  EXPECT_THAT(AuthorizationOf({"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""}),
              EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(Signature, HasNothingOfTheSecretKeyInIt) {
  const http::Headers headers = Sign({"PUT", "/k", {}, {{"Host", "h"}}, "v"}, kKey, "r", Timestamp{});
  for (const auto& [name, value] : headers) EXPECT_THAT(value, Not(HasSubstr(kKey.secret_key))) << name;
}

TEST(Signature, QueriesAreSortedAndEncoded) {
  EXPECT_EQ(EncodeQuery({{"prefix", "a/b c"}, {"list-type", "2"}, {"uploads", ""}}),
            "list-type=2&prefix=a%2Fb%20c&uploads=");
  EXPECT_EQ(EncodeQuery({}), "");
}

TEST(Signature, DigestsAreThoseOfTheStandards) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Md5Base64(""), "1B2M2Y8AsgTpgAmY7PhCfg==");
}

}  // namespace
}  // namespace holdfast::s3
