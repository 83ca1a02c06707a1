#include <gtest/gtest.h>

#include "base/redis/connection.h"
#include "tests/redis/redis_server.h"
#include "tests/unit/base/http/certificates.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;
using redis_servers::ServerOptions;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

class RedisTls : public testing::Test {
 protected:
  void Start(bool clients) {
    ServerOptions server_options;
    server_options.tls = true;
    server_options.tls_clients = clients;
    auto started = RedisServer::Start(server_options);
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = std::move(*started);
    options_.target = ParseUrl(server_->Url()).value();
    options_.tls.ca = server_->ca_file();
  }

  Result<std::unique_ptr<Connection>> Open() {
    return Connection::Open(options_.target.addresses.front(), options_, Connection::Expect::kNothing, Soon());
  }
  std::string Refusal() {
    const auto opened = Open();
    return opened.ok() ? "accepted" : opened.error().message();
  }

  std::unique_ptr<RedisServer> server_;
  Options options_;
};

TEST_F(RedisTls, redis_GoesAndComesEncrypted) {
  ASSERT_NO_FATAL_FAILURE(Start(false));
  auto opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  const std::string large(std::size_t{4} << 20, 'x');
  ASSERT_TRUE((*opened)->Run(Effect::kWrite, {"SET", "a", large}, Soon()).ok());
  const Result<Value> read = (*opened)->Run(Effect::kRead, {"GET", "a"}, Soon());
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->text() == large);
  EXPECT_FALSE((*opened)->HungUp());
  server_->Kill();
  EXPECT_TRUE((*opened)->HungUp());
}

TEST_F(RedisTls, redis_AnotherAuthorityIsNotTrusted) {
  ASSERT_NO_FATAL_FAILURE(Start(false));
  const auto sandbox = postgres_servers::Sandbox::Make();
  ASSERT_TRUE(sandbox.ok());
  options_.tls.ca = (*sandbox)->Write("ca.pem", http::MakeAuthority("somebody else").pem());
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(opened.error().message().find("its certificate"), std::string::npos) << opened.error().message();
  // The machine's own authorities do not vouch for it either.
  options_.tls.ca.clear();
  EXPECT_NE(Refusal().find("its certificate"), std::string::npos);
}

TEST_F(RedisTls, redis_TheCertificateHasToNameTheHost) {
  ASSERT_NO_FATAL_FAILURE(Start(false));
  options_.tls.server_name = "localhost";
  EXPECT_EQ(Refusal(), "accepted");
  options_.tls.server_name = "redis.example.org";
  EXPECT_NE(Refusal().find("hostname mismatch"), std::string::npos) << Refusal();
  options_.tls.server_name = "127.0.0.2";
  EXPECT_NE(Refusal().find("IP address mismatch"), std::string::npos) << Refusal();
}

TEST_F(RedisTls, redis_PlainTcpToATlsPortIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Start(false));
  options_.target.tls = false;
  EXPECT_NE(Refusal(), "accepted");
}

TEST_F(RedisTls, redis_ClientsShowTheirCertificateWhereItIsAskedFor) {
  ASSERT_NO_FATAL_FAILURE(Start(true));
  EXPECT_NE(Refusal(), "accepted");
  options_.tls.certificate = server_->client_certificate_file();
  options_.tls.key = server_->client_key_file();
  EXPECT_EQ(Refusal(), "accepted");
}

TEST_F(RedisTls, redis_FilesThatAreNotWhatTheyShouldBeAreNamed) {
  ASSERT_NO_FATAL_FAILURE(Start(false));
  options_.tls.ca = "/nowhere/ca.pem";
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(opened.error().message().find("the CA file /nowhere/ca.pem"), std::string::npos);
  options_.tls.ca = server_->ca_file();
  options_.tls.certificate = server_->client_certificate_file();
  options_.tls.key = server_->folder() / "server.key";
  EXPECT_NE(Refusal().find("the key file is not the key of the certificate file"), std::string::npos) << Refusal();
}

}  // namespace
}  // namespace holdfast::redis
