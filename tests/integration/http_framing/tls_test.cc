// The data port with TLS: versions, certificates of both sides and their renewal, peers that speak something else or
// nothing, and everything that holds on a plain port.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/integration/http_framing/test_streams.h"
#include "tests/unit/base/http/certificates.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

using http::Certificate;
using http::MakeAuthority;
using http::MakeLeaf;
using std::chrono::milliseconds;
using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

class Tls : public ServerTest {
 protected:
  Tls() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-tls-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.certificate = (folder_ / "tls.crt").string();
    options_.key = (folder_ / "tls.key").string();
    options_.reload_interval = milliseconds{5};
    Renew(MakeLeaf(authority_, "first", "DNS:localhost"));
  }
  ~Tls() override {
    server_.reset();  // it looks after the files
    std::filesystem::remove_all(folder_);
  }

  static void Write(const std::string& path, const std::string& text) {
    // Seen whole or not at all.
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  void Renew(const Certificate& leaf) {
    Write(options_.certificate, leaf.pem());
    Write(options_.key, leaf.key_pem());
  }
  void AskClients() {
    options_.client_ca = (folder_ / "ca.crt").string();
    Write(options_.client_ca, authority_.pem());
  }
  void ServeTls(const ServerLimits& limits = {}, int threads = 1) { Serve(limits, threads, options_); }

  Context Client(const Certificate* shown = nullptr) const {
    Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority_.certificate.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (shown != nullptr) {
      SSL_CTX_use_certificate(context.get(), shown->certificate.get());
      SSL_CTX_use_PrivateKey(context.get(), shown->key.get());
    }
    return context;
  }
  RawClient ConnectTls(const Certificate* shown = nullptr, int receive_buffer_bytes = 0) {
    RawClient client(server_->port(), receive_buffer_bytes);
    const Context context = Client(shown);
    EXPECT_TRUE(client.StartTls(context.get()));
    return client;
  }
  static std::string NameShownTo(const RawClient& client) {
    std::array<char, 64> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client.tls())), NID_commonName,
                              name.data(), name.size());
    return name.data();
  }

  const Certificate authority_ = MakeAuthority("authority");
  std::filesystem::path folder_;
  TlsOptions options_;
};

TEST_F(Tls, ServesWhatThePlainPortServes) {
  ServeTls({}, 2);
  RawClient client = ConnectTls();
  client.Send(Get("/a") + Get("/later") + "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
              "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  for (const std::string body : {"GET /a", "GET /later", "PUT /b abc", "PUT /c abc"}) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, body);
  }
  client.Send(Get("/close"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /close");
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(SSL_get_shutdown(client.tls()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_F(Tls, BodiesOfEverySizeArriveWhole) {
  ServeTls();
  RawClient client = ConnectTls();
  for (const std::size_t size : {0u, 1u, 4096u, 4097u, 16'384u, 16'385u, 70'000u, 12'000'000u}) {
    client.Send(Get("/entry?" + std::to_string(size)));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << size;
    EXPECT_TRUE(response->body == std::string(size, 'e')) << size;
  }
  const std::string body(RecordingHandler::kMaxBody, 'b');
  client.Send("PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(client.ReadResponse()->body == "PUT /p " + body);
}

TEST_F(Tls, ThousandsOfPipelinedRequestsAreAnsweredInOrder) {
  ServeTls();
  RawClient client = ConnectTls();
  constexpr int kAtOnce = 200;  // of which the answers fit into the buffers: this client does not read while it writes
  for (int turn = 0; turn < 20; ++turn) {
    std::string requests;
    for (int i = 0; i < kAtOnce; ++i) requests += Get("/p?" + std::to_string(i));
    ASSERT_TRUE(client.Send(requests));
    for (int i = 0; i < kAtOnce; ++i) {
      const auto response = client.ReadResponse();
      ASSERT_TRUE(response);
      ASSERT_EQ(response->body, "GET /p?" + std::to_string(i));
    }
  }
}

TEST_F(Tls, VersionsBefore12AreRefused) {
  ServeTls();
  for (const auto& [version, taken] :
       {std::pair{TLS1_1_VERSION, false}, std::pair{TLS1_2_VERSION, true}, std::pair{TLS1_3_VERSION, true}}) {
    RawClient client(server_->port());
    const Context context = Client();
    SSL_CTX_set_security_level(context.get(), 0);  // of which 1.1 would not even be offered
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    EXPECT_EQ(client.StartTls(context.get()), taken) << version;
  }
  EXPECT_TRUE(Eventually([&] { return Refused("tls_handshake") == 1; }));
}

TEST_F(Tls, AClientOfAnotherProtocolIsToldSoByTheHandshake) {
  ServeTls();
  const auto offering = [&](const std::string& protocols, RawClient& client) {
    const Context context = Client();
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    return client.StartTls(context.get());
  };
  RawClient both(server_->port());
  ASSERT_TRUE(offering("\x02h2\x08http/1.1", both));
  const unsigned char* chosen = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(both.tls(), &chosen, &bytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), bytes), "http/1.1");
  RawClient other(server_->port());
  EXPECT_FALSE(offering("\x02h2", other));
}

TEST_F(Tls, PlainRequestsGet400AndGarbageIsClosed) {
  ServeTls();
  RawClient plain(server_->port());
  plain.Send(Get("/canary"));
  const auto response = plain.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_NE(response->body.find("https://"), std::string::npos);
  EXPECT_EQ(plain.ReadToEnd(), "");
  for (const std::string garbage :
       {"\x01\x02\x03", "\xff\xff", "\x16\x03\x01garbage in a record", "\x16\x03\x01\x00"}) {
    RawClient client(server_->port());
    client.Send(garbage);
    client.FinishSending();
    EXPECT_TRUE(client.ReadToEnd());
  }
  RawClient good = ConnectTls();
  good.Send(Get("/good"));
  EXPECT_EQ(good.ReadResponse()->body, "GET /good");
  EXPECT_EQ(handler_->Recorded(), std::vector<std::string>{"GET /good"});
}

TEST_F(Tls, AHandshakeHasNoMoreTimeThanAHead) {
  ServerLimits limits;
  limits.header_timeout = milliseconds{150};
  ServeTls(limits);
  RawClient silent(server_->port());
  EXPECT_EQ(silent.ReadToEnd(), "");
  RawClient trickling(server_->port());
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  trickling.Send(hello);
  EXPECT_TRUE(Eventually([&] {
    trickling.Send("a");
    return trickling.Readable(milliseconds(5));
  }));
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
}

TEST_F(Tls, ClientsThatVanishInTheHandshakeLeaveNothingBehind) {
  ServeTls({}, 2);
  for (int i = 0; i < 60; ++i) {
    RawClient gone(server_->port());
    if (i % 3 > 0) gone.Send(std::string("\x16\x03\x01\x02\x00\x01", 6));
    if (i % 2 > 0) gone.Reset();
  }
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  RawClient client = ConnectTls();
  client.Send(Get("/next"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Tls, AClientMustShowACertificateWhereOneIsAskedFor) {
  AskClients();
  ServeTls();
  const Certificate stranger = MakeLeaf(MakeAuthority("stranger"), "admin", "");
  const Certificate expired = MakeLeaf(authority_, "admin", "", -3600);
  for (const Certificate* shown : {static_cast<const Certificate*>(nullptr), &stranger, &expired}) {
    RawClient client(server_->port());
    const Context context = Client(shown);
    client.StartTls(context.get());
    client.Send(Get("/canary"));
    EXPECT_FALSE(client.ReadResponse());
  }
  EXPECT_TRUE(handler_->Recorded().empty());
  EXPECT_TRUE(Eventually([&] { return Refused("tls_handshake") == 3; }));

  const Certificate named =
      MakeLeaf(authority_, "cart", "DNS:cart.shop.svc,URI:spiffe://cluster.local/ns/shop/sa/cart,IP:10.0.0.1");
  RawClient client = ConnectTls(&named);
  client.Send(Get("/peer") + Get("/peer"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.ReadResponse()->body,
              "127.0.0.1 CN=cart DNS:cart.shop.svc URI:spiffe://cluster.local/ns/shop/sa/cart");
  }
}

TEST_F(Tls, WithoutBeingAskedACertificateCountsForNothing) {
  ServeTls();
  const Certificate shown = MakeLeaf(authority_, "admin", "");
  RawClient client = ConnectTls(&shown);
  client.Send(Get("/peer"));
  EXPECT_EQ(client.ReadResponse()->body, "127.0.0.1");
}

TEST_F(Tls, AChangedCertificateIsShownToNewConnectionsAndABrokenOneToNobody) {
  ServeTls();
  const auto shown = [&] {
    const RawClient client = ConnectTls();
    return NameShownTo(client);
  };
  RawClient before = ConnectTls();
  EXPECT_EQ(NameShownTo(before), "first");
  metrics::Counter& failed = registry_.GetCounter("holdfast_tls_reloads_total", "", {{"result", "failed"}});

  // A certificate without its key, then no key at all.
  const Certificate second = MakeLeaf(authority_, "second", "DNS:localhost");
  Write(options_.certificate, second.pem());
  ASSERT_TRUE(Eventually([&] { return failed.Value() == 1; }));
  EXPECT_EQ(shown(), "first");
  std::filesystem::remove(options_.key);
  ASSERT_TRUE(Eventually([&] { return failed.Value() == 2; }));
  EXPECT_EQ(shown(), "first");

  Write(options_.key, second.key_pem());
  EXPECT_TRUE(Eventually([&] { return shown() == "second"; }));
  EXPECT_EQ(registry_.GetCounter("holdfast_tls_reloads_total", "", {{"result", "ok"}}).Value(), 1);
  before.Send(Get("/before"));
  EXPECT_EQ(before.ReadResponse()->body, "GET /before");
}

TEST_F(Tls, TheExpiryOfTheCertificateIsShown) {
  ServeTls();
  const double now = static_cast<double>(std::time(nullptr));
  const double expiry = registry_.GetGauge("holdfast_tls_certificate_expiry_timestamp_seconds", "").Value();
  EXPECT_GT(expiry, now + 3000);
  EXPECT_LT(expiry, now + 4000);
}

TEST_F(Tls, FilesThatCannotBeUsedKeepTheServerFromStarting) {
  const auto error_of = [&](const TlsOptions& tls) {
    ServerOptions options;
    options.port = 0;
    options.tls = tls;
    const auto server = HttpServer::Start(options, handler_, registry_);
    return server.ok() ? std::string("it started") : server.error().ToString();
  };
  TlsOptions missing = options_;
  missing.key = (folder_ / "none").string();
  EXPECT_NE(error_of(missing).find("listen.tls.key (" + missing.key + ") cannot be read"), std::string::npos);
  TlsOptions swapped = options_;
  std::swap(swapped.certificate, swapped.key);
  EXPECT_NE(error_of(swapped).find("listen.tls.certificate"), std::string::npos);
  TlsOptions folder = options_;
  folder.client_ca = folder_.string();
  EXPECT_NE(error_of(folder).find("listen.tls.client_ca"), std::string::npos);
  Write(options_.key, MakeLeaf(authority_, "other", "").key_pem());
  const std::string mismatch = error_of(options_);
  EXPECT_NE(mismatch.find("listen.tls.key"), std::string::npos) << mismatch;
  EXPECT_NE(mismatch.find("is not the key of"), std::string::npos) << mismatch;
}

class Waiting final : public BodyStream {
 public:
  void Start(std::function<void()>) override {}
  State Pull(std::string* out, std::size_t) override {
    if (!std::exchange(said_, true)) out->append("hello");
    return State::kWait;
  }

 private:
  bool said_ = false;
};

TEST_F(Tls, StreamsAreServedAndEndWithTheirClient) {
  ServeTls();
  std::weak_ptr<BodyStream> weak;
  handler_->AnswerStreamsWith([&] {
    auto stream = std::make_shared<Waiting>();
    weak = stream;
    return stream;
  });
  for (const bool reset : {false, true}) {
    RawClient client = ConnectTls();
    client.Send(Get("/stream"));
    ASSERT_TRUE(client.ReadHead());
    EXPECT_EQ(client.ReadChunk(), "hello");
    if (reset) {
      client.Reset();
    } else {
      client.FinishSending();
    }
    EXPECT_TRUE(Eventually([&] { return weak.expired() && Connections() == 0; })) << "reset: " << reset;
  }
}

TEST_F(Tls, AClientThatDoesNotReadItsStreamIsClosed) {
  ServerLimits limits;
  limits.write_timeout = milliseconds{150};
  ServeTls(limits);
  std::atomic<std::size_t> pulled{0};
  handler_->AnswerStreamsWith([&] { return std::make_shared<Fountain>(&pulled); });
  RawClient client = ConnectTls(nullptr, 4096);
  client.Send(Get("/stream"));
  EXPECT_TRUE(Eventually([&] { return pulled > 0; }));
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
}

TEST_F(Tls, AShutdownLetsRequestsFinishAndClosesTheIdleAndTheUndecided) {
  ServerLimits limits;
  limits.linger_timeout = milliseconds{100};
  ServeTls(limits, 2);
  RawClient idle = ConnectTls();
  RawClient busy = ConnectTls();
  RawClient undecided(server_->port());
  busy.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1 && Connections() == 3; }));
  std::thread shutdown([&] { server_->Shutdown(Deadline::After(std::chrono::seconds(30))); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(SSL_get_shutdown(idle.tls()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  EXPECT_EQ(undecided.ReadToEnd(), "");
  handler_->Release();
  const auto response = busy.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "released");
  EXPECT_EQ(busy.ReadToEnd(), "");
  shutdown.join();
}

TEST_F(ServerTest, ThePeersAddressIsKnownWithoutTls) {
  RawClient client = Connect();
  client.Send(Get("/peer"));
  EXPECT_EQ(client.ReadResponse()->body, "127.0.0.1");
}

// An alert costs no handshake, and the client's library knows that the end was meant.
TEST_F(Tls, ConnectionsBeyondTheLimitGetAnAlertUntilOneEnds) {
  ServerLimits limits;
  limits.max_connections = 1;
  ServeTls(limits);
  {
    RawClient first = ConnectTls();
    first.Send(Get("/first"));
    EXPECT_EQ(first.ReadResponse()->body, "GET /first");
    RawClient second = Connect();
    EXPECT_EQ(second.ReadToEnd(), std::string("\x15\x03\x03\x00\x02\x02\x50", 7));
    EXPECT_FALSE(second.was_reset());
    EXPECT_EQ(Refused("too_many_connections"), 1);
    EXPECT_EQ(Refused("tls_handshake"), 0);
    RawClient third = Connect();
    EXPECT_TRUE(third.Readable(std::chrono::seconds{10}));
    ERR_clear_error();
    EXPECT_FALSE(third.StartTls(Client().get()));
    EXPECT_EQ(Refused("too_many_connections"), 2);
  }
  ASSERT_TRUE(Eventually([&] { return Connections() == 0; }));
  RawClient fourth = ConnectTls();
  fourth.Send(Get("/fourth"));
  EXPECT_EQ(fourth.ReadResponse()->body, "GET /fourth");
}

// Left by a client that says so (close_notify), and by one whose socket just ends.
TEST_F(Tls, AClientThatLeavesItsRequestIsNoticed) {
  ServeTls();
  for (const bool says_so : {true, false}) {
    const int before = handler_->Gone();
    {
      RawClient client = ConnectTls();
      client.Send(Get("/watched") + Get("/ahead"));
      ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
      EXPECT_EQ(handler_->Gone(), before);
      if (says_so) SSL_shutdown(client.tls());
    }
    EXPECT_TRUE(Eventually([&] { return handler_->Gone() == before + 1; }));
    handler_->TakeHeld();
  }
}

}  // namespace
}  // namespace holdfast::api::testing
