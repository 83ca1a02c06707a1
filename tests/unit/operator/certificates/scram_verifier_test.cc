#include "operator/certificates/scram_verifier.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::certificates {
namespace {

// The exchange that RFC 7677 gives as its example: salt, and the proofs that follow from these keys.
TEST(ScramVerifier, IsThatOfTheExampleInTheRfc) {
  const std::string salt = "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
  EXPECT_EQ(ScramVerifier("pencil", salt).value(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST(ScramVerifier, HasASaltOfItsOwnAndNothingOfThePassword) {
  const std::string one = ScramVerifier("sesame").value();
  EXPECT_THAT(one, ::testing::MatchesRegex("SCRAM-SHA-256[$]4096:[A-Za-z0-9+/]+==[$][A-Za-z0-9+/]+=:[A-Za-z0-9+/]+="));
  EXPECT_NE(ScramVerifier("sesame").value(), one);
  EXPECT_THAT(one, ::testing::Not(::testing::HasSubstr("sesame")));
}

TEST(ScramVerifier, TakesNoPasswordThatSaslprepWouldChange) {
  for (const char* password : {"caf\xc3\xa9", "a\tb", "\x7f"}) EXPECT_FALSE(ScramVerifier(password).ok());
}

}  // namespace
}  // namespace holdfast::certificates
