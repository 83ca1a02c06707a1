// HTTPS through `local`, as people reach it: curl with the authority that is published, the real operator, the real
// service. Whoever does not trust that authority, or is not trusted, gets nothing.
#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>

#include "operator/certificates/certificate.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using certificates::KeyPair;
using std::chrono::hours;
using testing::HasSubstr;

// curl's: a server that nobody it knows vouches for.
constexpr int kNotVouchedFor = 60;
constexpr std::chrono::seconds kPatience{120};
constexpr char kGroup[] = "/apis/storage.holdfast.dev/v1/namespaces/default/";
constexpr char kClaim[] =
    "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: backups}\n"
    "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n";
constexpr char kBackups[] = "  backups: {claimName: backups}\n";

struct Ran {
  int code = -1;
  std::string output;
};

class LocalTlsTest : public LocalCommandTest {
 protected:
  // In the test's folder, as a shell would.
  Ran Run(const std::string& command) const {
    Ran ran;
    const std::string line = fmt::format("cd '{}' && {} 2>&1", folder_.string(), command);
    FILE* pipe = popen(line.c_str(), "r");
    if (pipe == nullptr) return ran;
    char buffer[4096];
    for (std::size_t size = 0; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) ran.output.append(buffer, size);
    const int status = pclose(pipe);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
  }
  // A line of those that `local` tells people to try, kept from waiting for ever.
  std::string Told(const std::string& part) const {
    const json running = Event("running");
    for (const json& line : running.at("try")) {
      std::string command = line.get<std::string>();
      if (command.find(part) == std::string::npos) continue;
      if (command.starts_with("curl")) command.insert(4, " --silent --show-error --fail --max-time 20");
      return command;
    }
    ADD_FAILURE() << "it does not tell of " << part;
    return "false";
  }
  static std::string Without(std::string command, const std::string& part) {
    const std::size_t at = command.find(part);
    EXPECT_NE(at, std::string::npos) << command;
    return command.erase(at, part.size());
  }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string AdminUrl() const { return "http://" + address_ + ":9090"; }
  // The operator calls the service for it, over TLS.
  void BackUp() const {
    const auto make = [&](const std::string& path, const json& object) {
      const auto made = Ask(Event("api")["server"], "POST", path, object.dump());
      ASSERT_EQ(made.status, 201) << made.body;
    };
    make(kGroup + std::string("storagebackups"), {{"apiVersion", "storage.holdfast.dev/v1"},
                                                  {"kind", "StorageBackup"},
                                                  {"metadata", {{"name", "first"}}},
                                                  {"spec", {{"cluster", "demo"}, {"store", "main"}}}});
    json status;
    ASSERT_TRUE(Eventually(
        [&] {
          status = Kubernetes(kGroup + std::string("storagebackups/first")).value("status", json::object());
          return status.value("phase", "") == "Succeeded" || status.value("phase", "") == "Failed";
        },
        kPatience))
        << status << FileText(output());
    EXPECT_EQ(status.value("phase", ""), "Succeeded") << status;
    EXPECT_EQ(status.value("entries", 0), 1) << status;
  }
};

TEST_F(LocalTlsTest, memory_ServesHttpsWithThePublishedAuthorityAndRenewsWithoutARestart) {
  const std::string manifest = Manifest("memory: {}", "  service: {tls: {enabled: true}}\n" + std::string(kBackups));
  const std::string cluster_text = FileText(manifest);
  std::ofstream(manifest) << kClaim << cluster_text;
  Start(manifest);
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Event("running")["url"], "https://" + address_ + ":8080");
  const json cluster = Kubernetes("/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo");
  EXPECT_EQ(cluster["status"]["endpoint"], "https://demo.default.svc:8080");
  const std::string published = cluster["status"]["caConfigMap"].get<std::string>();
  Write("ca.crt",
        Kubernetes("/api/v1/namespaces/default/configmaps/" + published)["data"]["ca.crt"].get<std::string>());

  const std::string put = Told("PUT");
  EXPECT_THAT(Told("get configmap"), HasSubstr("configmap " + published));
  const Ran written = Run(put);
  EXPECT_EQ(written.code, 0) << written.output;
  const std::string read = Without(put, " -X PUT --data-binary hello");
  EXPECT_EQ(Run(read).output, "hello");
  BackUp();
  // Without the authority nobody is sure of the server, and without TLS nobody is heard.
  EXPECT_EQ(Run(Without(read, " --cacert ca.crt")).code, kNotVouchedFor);
  EXPECT_NE(Ask("http://" + address_ + ":8080", "GET", "/v1/stores/_default/keys/greeting").status, 200);
  EXPECT_EQ(Ask(AdminUrl(), "GET", "/readyz").status, 200) << "probes and metrics stay as they are";

  const pid_t service = ServicePid();
  ASSERT_TRUE(Runs(service));
  const std::string secret = "/api/v1/namespaces/default/secrets/demo-tls";
  const json before = Kubernetes(secret)["data"]["tls.crt"];
  ASSERT_EQ(Ask(Event("api")["server"], "DELETE", secret).status, 200);
  ASSERT_TRUE(Eventually([&] {
    return Ask(AdminUrl(), "GET", "/metrics").body.find("holdfast_tls_reloads_total{result=\"ok\"} 1") !=
           std::string::npos;
  })) << "the service does not read the new certificate";
  EXPECT_NE(Kubernetes(secret)["data"]["tls.crt"], before);
  EXPECT_EQ(Run(read).output, "hello");
  EXPECT_EQ(ServicePid(), service) << "a new certificate is no reason for a new pod";
}

TEST_F(LocalTlsTest, memory_WithACertificateOfOnesOwnItAsksClientsForTheirs) {
  const Timestamp now = SystemClock().Now();
  const certificates::Validity validity{now - hours{1}, now + hours{24}};
  const auto authority = certificates::MakeAuthority("mine", validity);
  ASSERT_TRUE(authority.ok());
  const auto server = certificates::Issue(*authority, {"demo.default.svc"}, validity);
  const auto client = certificates::Issue(*authority, {"client"}, validity);
  ASSERT_TRUE(server.ok() && client.ok());
  Write("ca.crt", authority->certificate);
  Write("client.crt", client->certificate);
  Write("client.key", client->key);
  // JSON is YAML.
  const json secret = {{"apiVersion", "v1"},
                       {"kind", "Secret"},
                       {"metadata", {{"name", "own"}}},
                       {"type", "kubernetes.io/tls"},
                       {"stringData", {{"tls.crt", server->certificate}, {"tls.key", server->key}}}};
  const json map = {{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata", {{"name", "clients"}}},
                    {"data", {{"bundle.pem", authority->certificate}}}};
  json as_client = secret;
  as_client["metadata"]["name"] = "operator";
  as_client["stringData"] = {{"tls.crt", client->certificate}, {"tls.key", client->key}};
  const std::string tls =
      "  service: {tls: {secretName: own, clientCA: {configMapRef: {name: clients, key: bundle.pem}}, "
      "operatorSecretName: operator}}\n";
  const std::string manifest = Manifest("memory: {}", tls + kBackups);
  const std::string cluster = FileText(manifest);
  // First what the cluster names, so that it need not wait until the operator looks again.
  std::ofstream(manifest) << secret.dump() << "\n---\n"
                          << as_client.dump() << "\n---\n"
                          << map.dump() << "\n---\n"
                          << kClaim << cluster;
  Start(manifest);
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  const std::string put = Told("PUT");
  const Ran written = Run(put);
  EXPECT_EQ(written.code, 0) << written.output;
  EXPECT_EQ(Run(Without(put, " -X PUT --data-binary hello")).output, "hello");
  BackUp();
  const Ran stranger = Run(Without(put, " --cert client.crt --key client.key"));
  EXPECT_NE(stranger.code, 0) << stranger.output;
  EXPECT_EQ(Kubernetes("/api/v1/namespaces/default/secrets/demo-ca").value("code", 0), 404) << "nothing is issued";
}

}  // namespace
}  // namespace holdfast::local
