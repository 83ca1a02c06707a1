// The program with TLS on the storage port: settings, client certificates, a certificate renewed while it runs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "base/http/http_client.h"
#include "tests/integration/service/service_process.h"
#include "tests/unit/base/http/certificates.h"

namespace holdfast {
namespace {

using http::Certificate;
using http::MakeAuthority;
using http::MakeLeaf;

class TlsServiceTest : public testing::Test {
 protected:
  void Start(const std::vector<std::string>& flags, const std::map<std::string, std::string>& environment = {}) {
    Process::Options options;
    options.environment = environment;
    options.words = {"serve",
                     "--listen.address=127.0.0.1",
                     "--listen.port=0",
                     "--admin.port=0",
                     "--admin.address=127.0.0.1",
                     "--backends.local.type=memory",
                     "--log.format=json"};
    options.words.insert(options.words.end(), flags.begin(), flags.end());
    process_.emplace(options);
    const std::regex serving("\"message\":\"serving\".*\"port\":\"?([0-9]+)");
    std::smatch match;
    std::string log;
    const Deadline deadline = Deadline::After(std::chrono::seconds{60});
    while (!std::regex_search(log, match, serving)) {
      ASSERT_TRUE(process_->Running() && !deadline.Expired()) << log;
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
      log = process_->Errors();
    }
    port_ = match[1];
  }
  // The status, or 0 when there was no answer, and reason_.
  int Get(const Certificate& authority, const Certificate* shown = nullptr) {
    http::ClientOptions options;
    options.base_url = "https://127.0.0.1:" + port_;
    options.ca_pem = authority.pem();
    if (shown != nullptr) {
      options.client_certificate_pem = shown->pem();
      options.client_key_pem = shown->key_pem();
    }
    http::HttpClient client(options);
    const auto response =
        client.Send({"GET", "/v1/stores/main/keys/absent", {}, {}}, Deadline::After(std::chrono::seconds{20}));
    if (response.ok()) return response->status;
    reason_ = response.error().message();
    return 0;
  }
  void Renew(const Certificate& leaf) {
    certificate_ = folder_.Write("tls.crt", leaf.pem());
    key_ = folder_.Write("tls.key", leaf.key_pem());
  }

  const TemporaryFolder folder_;
  std::string certificate_;
  std::string key_;
  std::string port_;
  std::string reason_;  // of the last request without an answer
  std::optional<Process> process_;
};

TEST_F(TlsServiceTest, ServesOverTlsAndTakesARenewedCertificate) {
  const Certificate first = MakeAuthority("first");
  const Certificate second = MakeAuthority("second");
  Renew(MakeLeaf(first, "service", "IP:127.0.0.1"));
  Start({"--listen.tls.certificate=" + certificate_, "--listen.tls.key=" + key_});
  EXPECT_EQ(Get(first), 404);
  EXPECT_EQ(Get(second), 0);
  Renew(MakeLeaf(second, "service", "IP:127.0.0.1"));
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  while (Get(second) == 0 && !deadline.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
  EXPECT_EQ(Get(second), 404);
  EXPECT_EQ(Get(first), 0);
}

TEST_F(TlsServiceTest, AClientWithoutACertificateOfTheAuthorityIsNotServed) {
  const Certificate authority = MakeAuthority("authority");
  Renew(MakeLeaf(authority, "service", "IP:127.0.0.1"));
  const std::string clients = folder_.Write("clients.crt", authority.pem());
  Start({"--listen.tls.certificate=" + certificate_, "--listen.tls.key=" + key_, "--listen.tls.client_ca=" + clients});
  const Certificate known = MakeLeaf(authority, "cart", "");
  const Certificate stranger = MakeLeaf(MakeAuthority("stranger"), "cart", "");
  EXPECT_EQ(Get(authority), 0);
  EXPECT_EQ(Get(authority, &stranger), 0);
  EXPECT_EQ(Get(authority, &known), 404) << reason_;
}

#ifdef HOLDFAST_LATE_FIRST_BYTE
// OpenSSL once took the whole greeting behind a look that had found nothing, and the client's next record was then
// looked at in the greeting's place and refused as plain text.
TEST_F(TlsServiceTest, AGreetingThatComesJustAfterTheLookForItIsServed) {
  const Certificate authority = MakeAuthority("authority");
  Renew(MakeLeaf(authority, "service", "IP:127.0.0.1"));
  Start({"--listen.tls.certificate=" + certificate_, "--listen.tls.key=" + key_},
        {{"LD_PRELOAD", HOLDFAST_LATE_FIRST_BYTE}});
  for (int connection = 0; connection < 4; ++connection) {
    EXPECT_EQ(Get(authority), 404) << "connection " << connection << ": " << reason_;
  }
}
#endif

TEST_F(TlsServiceTest, FilesThatCannotBeUsedEndTheStart) {
  const Finished finished =
      RunHoldfast({{"serve", "--listen.port=0", "--admin.port=0", "--backends.local.type=memory",
                    "--listen.tls.certificate=/nowhere/tls.crt", "--listen.tls.key=/nowhere/tls.key"},
                   {},
                   {}});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.errors, testing::HasSubstr("listen.tls.certificate (/nowhere/tls.crt) cannot be read"));
}

}  // namespace
}  // namespace holdfast
