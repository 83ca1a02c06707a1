// A StorageCluster with a Redis backend, from its manifest to an answered request, by nothing but the operator and
// Debian's redis-server.
#include <map>

#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/redis/redis_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::Not;

// The machine may be busy.
constexpr std::chrono::seconds kPatience{120};
constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";

class LocalRedisTest : public LocalCommandTest {
 protected:
  json Server() const { return Kubernetes("/api/v1/namespaces/default/pods/demo-local-0"); }
  pid_t ServerPid() const {
    const json pod = Server();
    const std::string id = pod.value("/status/containerStatuses/0/containerID"_json_pointer, "");
    return id.empty() ? 0 : std::stoi(id.substr(std::string("process://").size()));
  }
  json Backend() const { return Kubernetes(kCluster).at("/status/backends/0"_json_pointer); }
  std::string Password() const {
    const json secret = Kubernetes("/api/v1/namespaces/default/secrets/demo-local-credentials");
    return kube::Base64Decode(secret.at("data").at("application-password").get<std::string>()).value();
  }
  // A cluster on the Redis that a Secret names; all that it may hold, by key.
  std::string ExternalManifest(const std::map<std::string, std::string>& secret) {
    json data = json::object();
    for (const auto& [key, value] : secret) data[key] = kube::Base64Encode(value);
    const json object = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "shared"}}}, {"data", data}};
    const std::string cluster =
        Manifest("redis: {external: {secretName: shared, passwordKey: password, authorityKey: authority}}");
    std::ofstream(cluster, std::ios::app) << "---\n" << object.dump() << "\n";
    return cluster;
  }
  // Everything that people and programs are told, and all that was logged.
  std::string Told() const {
    std::string text = Kubernetes(kCluster).dump() + FileText(output());
    for (const char* collection : {"events", "pods", "configmaps"}) {
      text += Kubernetes("/api/v1/namespaces/default/" + std::string(collection)).dump();
    }
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) text += FileText(log.path());
    return text;
  }
  // The arguments and the environment of every process of this test's pods.
  static std::string Seen(pid_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    return FileText(process + "/cmdline") + FileText(process + "/environ");
  }
};

TEST_F(LocalRedisTest, redis_IsProvisionedServedAndKeepsItsDataThroughKills) {
  Start(Manifest("redis: {storage: {size: 1Gi}, maxMemory: 64Mi, persistence: {fsync: always}}"),
        {"--ready-timeout", "100"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Store("GET").body, "hello");
  ASSERT_TRUE(Eventually([&] { return Backend().value("phase", "") == "Ready"; })) << Kubernetes(kCluster).dump(2);
  const json backend = Backend();
  EXPECT_EQ(backend.value("type", ""), "redis");
  EXPECT_EQ(backend.value("primary", ""), "demo-local-0");
  EXPECT_EQ(backend.value("endpoint", ""), "demo-local-primary.default.svc:6379");

  const pid_t first = ServerPid();
  ASSERT_GT(first, 0);
  const std::string password = Password();
  EXPECT_THAT(Seen(first), Not(HasSubstr(password)));
  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return ServerPid() != 0 && ServerPid() != first; }, kPatience));
  // What was acknowledged comes back from the append-only file.
  ASSERT_TRUE(Eventually([&] { return Store("GET").status == 200; }, kPatience)) << FileText(output());
  EXPECT_EQ(Store("GET").body, "hello");
  EXPECT_TRUE(Eventually([&] { return Store("PUT", "again").status / 100 == 2; }, kPatience));

  // The same of the whole pod.
  const std::string uid = Server().at("/metadata/uid"_json_pointer);
  Ask(Event("api")["server"], "DELETE", "/api/v1/namespaces/default/pods/demo-local-0");
  ASSERT_TRUE(Eventually([&] { return Server().value("/metadata/uid"_json_pointer, uid) != uid; }, kPatience));
  ASSERT_TRUE(Eventually([&] { return Store("GET").status == 200; }, kPatience)) << FileText(output());
  EXPECT_EQ(Store("GET").body, "again");
  EXPECT_THAT(Told(), Not(HasSubstr(password)));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

TEST_F(LocalRedisTest, redis_ThatOthersRunIsServedFromASecret) {
  redis_servers::ServerOptions options;
  options.tls = true;
  options.acl = true;
  const auto server = redis_servers::RedisServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.error().ToString();
  const redis_servers::RedisServer& redis = **server;
  const std::string url =
      "rediss://" + std::string(redis_servers::kUser) + ":-@127.0.0.1:" + std::to_string(redis.port());
  Start(ExternalManifest({{"url", url + "/0"},
                          {"password", redis_servers::kPassword},
                          {"authority", FileText(redis.ca_file())},
                          {"other", "none of the service's business"}}),
        {"--ready-timeout", "100"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Store("GET").body, "hello");
  const auto index = redis.Cli({"EXISTS", "holdfast:index"});
  ASSERT_TRUE(index.ok()) << index.error().ToString();
  EXPECT_THAT(*index, HasSubstr("1"));
  EXPECT_EQ(Backend().value("type", ""), "external");
  EXPECT_THAT(Told(), Not(HasSubstr(redis_servers::kPassword)));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
