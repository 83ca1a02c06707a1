#include "operator/certificates/authority.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/certificates/certificate.h"

namespace holdfast::certificates {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

constexpr Timestamp kStart{std::chrono::seconds{1'800'000'000}};
const std::vector<std::string> kNames = {"demo-db-primary.prod.svc", "*.demo-db-pods.prod.svc"};

Files Authority(Timestamp now) {
  auto made = NextAuthority({}, "Holdfast prod/demo", now);
  EXPECT_TRUE(made.ok() && made->has_value());
  return **made;
}

Files Server(const Files& authority, Timestamp now, const Files& present = {}) {
  auto made = NextServer(present, authority, kNames, now);
  EXPECT_TRUE(made.ok()) << made.error().message();
  return made->value_or(present);
}

std::size_t Certificates(const std::string& bundle) {
  std::size_t count = 0;
  for (std::size_t at = bundle.find("BEGIN CERT"); at != std::string::npos; at = bundle.find("BEGIN CERT", at + 1)) {
    ++count;
  }
  return count;
}

// What a client that trusts `files` and a server that shows `server` make of each other: one of the certificates in the
// bundle has issued the server's.
bool Trusts(const Files& files, const Files& server) {
  std::string bundle = files.at(kTrusted);
  const std::string end = "-----END CERTIFICATE-----\n";
  for (std::size_t at = bundle.find(end); at != std::string::npos; at = bundle.find(end)) {
    if (IsIssuedBy(server.at(kServerCertificate), bundle.substr(0, at + end.size()))) return true;
    bundle.erase(0, at + end.size());
  }
  return false;
}

TEST(Authority, IsMadeOnceAndThenLeftAlone) {
  const Files authority = Authority(kStart);
  EXPECT_TRUE(Matches({authority.at(kTrusted), authority.at(kSigningKey)}));
  const auto facts = ReadFacts(authority.at(kTrusted));
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->validity.not_before, kStart - hours{1});
  EXPECT_EQ(facts->validity.not_after, kStart + kAuthorityLife);
  for (const hours later : {hours{0}, hours{24}, kAuthorityLife - kAuthorityRenewal - hours{1}}) {
    const auto next = NextAuthority(authority, "Holdfast prod/demo", kStart + later);
    ASSERT_TRUE(next.ok());
    EXPECT_FALSE(next->has_value());
  }
}

TEST(Authority, NothingThatIsNoneIsOverwritten) {
  Files authority = Authority(kStart);
  authority[kSigningKey] = Authority(kStart).at(kSigningKey);
  const auto next = NextAuthority(authority, "x", kStart);
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(next.error().message(), Not(HasSubstr("PRIVATE")));
  EXPECT_EQ(NextServer({}, authority, kNames, kStart).error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(NextAuthority({{"mine", "text"}}, "x", kStart).error().code(), ErrorCode::kFailedPrecondition);
}

// Years of a cluster, looked at every four weeks: whoever has the Secret of now or of the time before trusts every
// server certificate of now and of the time before.
TEST(Authority, FollowsItselfWithoutAMomentOfDistrust) {
  Timestamp now = kStart;
  Files authority = Authority(now);
  Files server = Server(authority, now);
  std::string first = authority.at(kTrusted);
  int signers = 1;
  int issued = 1;
  for (int day = 0; day < 25 * 365; day += 28) {
    now += hours{28 * 24};
    const Files old_authority = authority;
    const Files old_server = server;
    auto next = NextAuthority(authority, "Holdfast prod/demo", now);
    ASSERT_TRUE(next.ok()) << next.error().message();
    if (*next) authority = **next;
    server = Server(authority, now, server);
    ASSERT_TRUE(Trusts(authority, server)) << day;
    ASSERT_TRUE(Trusts(old_authority, server)) << "a client that has not yet reloaded, day " << day;
    ASSERT_TRUE(Trusts(authority, old_server)) << "a server that has not yet reloaded, day " << day;
    ASSERT_LE(Certificates(authority.at(kTrusted)), 2u);
    ASSERT_EQ(server.at(kTrusted), authority.at(kTrusted));
    if (authority.at(kSigningKey) != old_authority.at(kSigningKey)) ++signers;
    if (server.at(kServerKey) != old_server.at(kServerKey)) ++issued;
    const auto facts = ReadFacts(server.at(kServerCertificate));
    ASSERT_GT(facts->validity.not_after, now + hours{24});
  }
  EXPECT_EQ(signers, 3) << "in 25 years of authorities that live 10 and are followed a year before";
  EXPECT_GE(issued, 25);
  EXPECT_NE(authority.at(kTrusted), first);
}

TEST(Server, IsIssuedForItsNamesAndLeftAlone) {
  const Files authority = Authority(kStart);
  const Files server = Server(authority, kStart);
  const auto facts = ReadFacts(server.at(kServerCertificate));
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->names, kNames);
  EXPECT_TRUE(Matches({server.at(kServerCertificate), server.at(kServerKey)}));
  EXPECT_TRUE(IsIssuedBy(server.at(kServerCertificate), authority.at(kTrusted)));
  EXPECT_FALSE(IsIssuedBy(server.at(kServerCertificate), Authority(kStart).at(kTrusted)));
  EXPECT_EQ(Server(authority, kStart + kServerLife - kServerRenewal - hours{1}, server), server);
}

TEST(Server, IsIssuedAnewWhenDueBrokenOrRenamed) {
  const Files authority = Authority(kStart);
  const Files server = Server(authority, kStart);
  EXPECT_NE(Server(authority, kStart + kServerLife - kServerRenewal, server), server);
  EXPECT_NE(Server(authority, kStart - hours{2}, server), server) << "not valid yet";
  Files broken = server;
  broken[kServerKey] = Server(authority, kStart).at(kServerKey);
  EXPECT_NE(Server(authority, kStart, broken).at(kServerCertificate), server.at(kServerCertificate));
  const auto renamed = NextServer(server, authority, {"other.prod.svc"}, kStart);
  ASSERT_TRUE(renamed.ok() && renamed->has_value());
  EXPECT_EQ(ReadFacts((*renamed)->at(kServerCertificate))->names, std::vector<std::string>{"other.prod.svc"});
}

}  // namespace
}  // namespace holdfast::certificates
