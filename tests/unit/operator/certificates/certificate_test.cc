#include "operator/certificates/certificate.h"

#include "gtest/gtest.h"

namespace holdfast::certificates {
namespace {

using std::chrono::hours;

constexpr Timestamp kStart{std::chrono::seconds{1'800'000'000}};
constexpr Validity kValidity{kStart, kStart + hours{24}};

TEST(Certificates, ABundleIsGoodWhenEachOfItIs) {
  const auto one = MakeAuthority("one", kValidity);
  const auto other = MakeAuthority("other", kValidity);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_TRUE(CheckCertificates(one->certificate).ok());
  EXPECT_TRUE(CheckCertificates(one->certificate + other->certificate).ok());
  EXPECT_FALSE(CheckCertificates("").ok());
  EXPECT_FALSE(CheckCertificates("nonsense").ok());
  EXPECT_FALSE(CheckCertificates(one->key).ok());
  std::string broken = other->certificate;
  broken.replace(broken.size() / 2, 4, "!!!!");
  EXPECT_FALSE(CheckCertificates(one->certificate + broken).ok());
}

}  // namespace
}  // namespace holdfast::certificates
