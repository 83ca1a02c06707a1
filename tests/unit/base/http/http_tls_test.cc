#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/ssl.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/http/http_client.h"
#include "base/http/tls.h"
#include "tests/unit/base/http/certificates.h"
#include "tests/unit/base/http/raw_peer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::http {
namespace {

using std::chrono::seconds;

Deadline Soon() {
  return Deadline::After(seconds{20});
}

// Answers every request with the common name of the client's certificate, "none" without one.
class TlsServer {
 public:
  TlsServer(const Certificate& leaf, const Certificate* client_authority = nullptr)
      : context_(boost::asio::ssl::context::tls_server), server_([this](Socket& socket) { Serve(socket); }) {
    SSL_CTX_use_certificate(context_.native_handle(), leaf.certificate.get());
    SSL_CTX_use_PrivateKey(context_.native_handle(), leaf.key.get());
    if (client_authority != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.native_handle()), client_authority->certificate.get());
      context_.set_verify_mode(boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
    }
  }

  std::string url(const std::string& host = "127.0.0.1") const {
    const std::string plain = server_.url();
    return "https://" + host + plain.substr(plain.rfind(':'));
  }
  int connections() const { return server_.connections(); }
  int requests() const { return requests_; }
  // Of the last request.
  std::string host() const {
    const std::lock_guard lock(mutex_);
    return host_;
  }
  std::string indicated() const {
    const std::lock_guard lock(mutex_);
    return indicated_;
  }

 private:
  void Serve(Socket& socket) {
    boost::asio::ssl::stream<Socket&> stream(socket, context_);
    boost::system::error_code error;
    stream.handshake(boost::asio::ssl::stream_base::server, error);
    if (error) return;
    std::string name = "none";
    if (X509* peer = SSL_get1_peer_certificate(stream.native_handle())) {
      char text[64] = {};
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, text, sizeof(text));
      name = text;
      X509_free(peer);
    }
    while (true) {
      std::string request;
      boost::asio::read_until(stream, boost::asio::dynamic_buffer(request), "\r\n\r\n", error);
      if (error) return;
      ++requests_;
      Note(stream.native_handle(), request);
      const std::string answer =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name.size()) + "\r\n\r\n" + name;
      boost::asio::write(stream, boost::asio::buffer(answer), error);
      if (error) return;
    }
  }

  void Note(SSL* connection, const std::string& request) {
    const std::lock_guard lock(mutex_);
    const std::size_t begin = request.find("Host:") + std::strlen("Host:");
    host_ = request.substr(begin, request.find('\r', begin) - begin);
    const char* name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    indicated_ = name == nullptr ? "" : name;
  }

  boost::asio::ssl::context context_;
  std::atomic<int> requests_ = 0;
  mutable std::mutex mutex_;
  std::string host_;       // guarded by mutex_
  std::string indicated_;  // guarded by mutex_
  RawServer server_;       // last: its thread uses everything above
};

ClientOptions Trusting(const std::string& url, const Certificate& authority) {
  ClientOptions options;
  options.base_url = url;
  options.ca_pem = authority.pem();
  return options;
}

TEST(HttpTls, AServerOfTheGivenAuthorityIsTrustedAndTheConnectionKept) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "IP:127.0.0.1"));
  HttpClient client(Trusting(server.url(), authority));
  EXPECT_TRUE(Eventually([&] {
    const auto answer = client.Send({}, Soon());
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    return HasFailure() || (answer->body == "none" && server.requests() > server.connections());
  }));
}

TEST(HttpTls, AStrangersServerIsRefusedAndSentNothing) {
  const Certificate authority = MakeAuthority("authority");
  const Certificate stranger = MakeAuthority("authority");
  TlsServer server(MakeLeaf(stranger, "server", "IP:127.0.0.1"));
  HttpClient client(Trusting(server.url(), authority));
  const auto answer = client.Send({"POST", "/", {}, "secret"}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable) << answer.error().ToString();
  EXPECT_EQ(server.requests(), 0);
}

TEST(HttpTls, AServerThatIsReachedByItsAddressIsVerifiedByItsName) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "DNS:demo.prod.svc"));
  ClientOptions options = Trusting(server.url(), authority);
  EXPECT_FALSE(HttpClient(options).Send({}, Soon()).ok()) << "it is not for an address";
  options.server_name = "other.prod.svc";
  EXPECT_FALSE(HttpClient(options).Send({}, Soon()).ok());
  EXPECT_EQ(server.requests(), 0);
  options.server_name = "demo.prod.svc";
  HttpClient client(options);
  const auto answer = client.Send({"GET", "/", {{"Host", "strange"}}, {}}, Soon());
  ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  EXPECT_EQ(server.host(), "demo.prod.svc");
  EXPECT_EQ(server.indicated(), "demo.prod.svc");
}

// Whoever signed it: one that is trusted as it stands needs nobody to vouch for it.
TEST(HttpTls, AServersOwnCertificateMayBeTheAuthority) {
  const Certificate authority = MakeAuthority("authority");
  const Certificate leaf = MakeLeaf(authority, "server", "IP:127.0.0.1");
  TlsServer server(leaf);
  HttpClient client(Trusting(server.url(), leaf));
  const auto answer = client.Send({}, Soon());
  EXPECT_TRUE(answer.ok()) << answer.error().ToString();
  HttpClient of_another(Trusting(server.url(), MakeLeaf(authority, "server", "IP:127.0.0.1")));
  EXPECT_FALSE(of_another.Send({}, Soon()).ok());
}

TEST(HttpTls, TheSystemsAuthoritiesAreNotTrustedBesideTheGivenOnesNorOursWithoutBeingGiven) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "IP:127.0.0.1"));
  ClientOptions options;
  options.base_url = server.url();
  HttpClient client(options);
  EXPECT_FALSE(client.Send({}, Soon()).ok());
}

// What the HTTP library does for every connection.
int SystemAuthorities() {
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  context.set_default_verify_paths();
  return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context.native_handle())));
}

// In a process of its own, since it is for good.
TEST(HttpTlsDeathTest, SystemAuthoritiesThatNobodyNeedsAreNotRead) {
  const std::string bundle = ::testing::TempDir() + "authorities-" + std::to_string(::getpid()) + ".pem";
  std::ofstream(bundle) << MakeAuthority("system").pem();
  EXPECT_EXIT(
      {
        ::setenv("SSL_CERT_FILE", bundle.c_str(), 1);
        const int before = SystemAuthorities();
        HttpClient::IgnoreSystemAuthorities();
        std::exit(before == 1 && SystemAuthorities() == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  std::filesystem::remove(bundle);
}

TEST(HttpTls, TheNameMustBeTheServers) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer elsewhere(MakeLeaf(authority, "server", "IP:127.0.0.2,DNS:elsewhere"));
  HttpClient wrong(Trusting(elsewhere.url(), authority));
  const auto answer = wrong.Send({}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(elsewhere.requests(), 0);

  TlsServer named(MakeLeaf(authority, "server", "DNS:localhost"));
  HttpClient right(Trusting(named.url("localhost"), authority));
  const auto good = right.Send({}, Soon());
  EXPECT_TRUE(good.ok()) << good.error().ToString();
}

// How a server is reached by its address and known by its name.
TEST(HttpTls, ANameThatIsAskedForAsHostIsWhatTheCertificateIsHeldAgainst) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "DNS:*.pods.prod.svc"));
  const auto ask = [&](const Headers& headers) {
    HttpClient client(Trusting(server.url(), authority));
    return client.Send({"GET", "/", headers, {}}, Soon()).ok();
  };
  EXPECT_FALSE(ask({}));
  EXPECT_FALSE(ask({{"Host", "a.elsewhere.prod.svc"}}));
  EXPECT_EQ(server.requests(), 0);
  EXPECT_TRUE(ask({{"Host", "a.pods.prod.svc"}}));
}

TEST(HttpTls, AnExpiredCertificateIsRefused) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "IP:127.0.0.1", -3600));
  HttpClient client(Trusting(server.url(), authority));
  EXPECT_FALSE(client.Send({}, Soon()).ok());
  EXPECT_EQ(server.requests(), 0);
}

TEST(HttpTls, VerificationCanBeTurnedOffByName) {
  const Certificate stranger = MakeAuthority("stranger");
  TlsServer server(MakeLeaf(stranger, "server", "DNS:elsewhere"));
  ClientOptions options;
  options.base_url = server.url();
  options.insecure_skip_tls_verify = true;
  HttpClient client(options);
  const auto answer = client.Send({}, Soon());
  EXPECT_TRUE(answer.ok()) << answer.error().ToString();
}

TEST(HttpTls, AClientCertificateIsShownToWhoAsks) {
  const Certificate authority = MakeAuthority("authority");
  TlsServer server(MakeLeaf(authority, "server", "IP:127.0.0.1"), &authority);
  const Certificate admin = MakeLeaf(authority, "admin", "");
  ClientOptions options = Trusting(server.url(), authority);
  options.client_certificate_pem = admin.pem() + authority.pem();
  options.client_key_pem = admin.key_pem();
  HttpClient client(options);
  const auto answer = client.Send({}, Soon());
  ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  EXPECT_EQ(answer->body, "admin");

  HttpClient nobody(Trusting(server.url(), authority));
  EXPECT_FALSE(nobody.Send({}, Soon()).ok());
}

TEST(HttpTls, APlainServerIsNotSpokenTo) {
  RawServer server([](Socket& socket) { ReadUntil(socket, "\r\n\r\n"); });
  ClientOptions options;
  options.base_url = "https" + server.url().substr(4);
  options.insecure_skip_tls_verify = true;
  options.connect_timeout = std::chrono::milliseconds{300};
  HttpClient client(options);
  const auto answer = client.Send({"POST", "/", {}, ""}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable) << answer.error().ToString();
}

TEST(HttpTls, MaterialThatIsNoneIsNamedButNotQuoted) {
  const Certificate authority = MakeAuthority("authority");
  const Certificate one = MakeLeaf(authority, "one", "");
  const Certificate two = MakeLeaf(authority, "two", "");
  const std::pair<TlsMaterial, std::string> cases[] = {
      {{"canary", "", ""}, "ca_pem"},
      {{authority.pem() + "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n", "", ""}, "ca_pem"},
      {{"", one.pem(), ""}, "together"},
      {{"", "", one.key_pem()}, "together"},
      {{"", one.pem(), "canary"}, "client_key_pem"},
      {{"", "canary", one.key_pem()}, "client_certificate_pem"},
      {{"", one.pem(), two.key_pem()}, "client_key_pem"},
  };
  for (const auto& [material, field] : cases) {
    const Status status = CheckTls(material);
    ASSERT_FALSE(status.ok()) << field;
    EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message().find(field), std::string::npos) << status.error().message();
    EXPECT_EQ(status.error().message().find("canary"), std::string::npos);

    ClientOptions options;
    options.base_url = "https://127.0.0.1:1";
    options.ca_pem = material.ca_pem;
    options.client_certificate_pem = material.client_certificate_pem;
    options.client_key_pem = material.client_key_pem;
    EXPECT_EQ(HttpClient(options).Send({}, Soon()).error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(CheckTls({authority.pem() + one.pem(), one.pem(), one.key_pem()}).ok());
}

}  // namespace
}  // namespace holdfast::http
