// PostgreSQL under Patroni in the local cluster: everything a StorageCluster with a PostgreSQL backend stands on, from
// manifests written by hand.
#include <algorithm>

#include "tests/integration/local/local_command_fixture.h"
#include "tests/postgres/session.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using postgres_servers::Session;

// Patroni takes its time, and the machine may be busy.
constexpr std::chrono::seconds kPatience{150};

class LocalPatroniTest : public LocalCommandTest {
 protected:
  void SetUp() override {
    std::string text = FileText(HOLDFAST_LOCAL_MANIFESTS "/patroni_cluster.yaml");
    for (std::size_t at; (at = text.find("@PGDATA@")) != std::string::npos;) text.replace(at, 8, data_folder_);
    std::filesystem::path path = folder_ / "patroni.yaml";
    std::ofstream(path) << text;
    Start(path.string());
    ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  }

  std::vector<std::string> PodsWithRole(const std::string& role) const {
    std::vector<std::string> names;
    json pods = Kubernetes("/api/v1/namespaces/default/pods?labelSelector=app%3Ddemo-db,role%3D" + role);
    for (const json& pod : pods.value("items", json::array())) names.push_back(pod["metadata"]["name"]);
    return names;
  }
  std::int64_t ReadyMembers() const {
    json set = Kubernetes("/apis/apps/v1/namespaces/default/statefulsets/demo-db");
    return set.value("/status/readyReplicas"_json_pointer, std::int64_t{0});
  }
  Result<Session> Primary() const {
    json service = Kubernetes("/api/v1/namespaces/default/services/demo-db-primary");
    return Session::Open("host=" + service["spec"]["clusterIP"].get<std::string>() +
                         " user=postgres password=sesame dbname=postgres connect_timeout=3");
  }
  std::string AskPrimary(const std::string& sql) const {
    auto session = Primary();
    if (!session.ok()) return session.error().message();
    auto value = session->Value(sql);
    return value.ok() ? *value : value.error().message();
  }
  bool TwoStandbysStream() const {
    return AskPrimary("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "2";
  }
  pid_t ContainerPid(const std::string& pod) const {
    json object = Kubernetes("/api/v1/namespaces/default/pods/" + pod);
    return std::stoi(object.at("/status/containerStatuses/0/containerID"_json_pointer)
                         .get<std::string>()
                         .substr(std::string("process://").size()));
  }
  std::string KeyHolder() const {
    const json key = Kubernetes("/api/v1/namespaces/default/configmaps/demo-db-leader");
    return key.value("/metadata/annotations/leader"_json_pointer, "");
  }
  void ClearLeaderKey() const {
    http::ClientOptions options;
    options.base_url = Event("api")["server"];
    http::HttpClient client(options);
    http::ClientRequest request;
    request.method = "PATCH";
    request.target = "/api/v1/namespaces/default/configmaps/demo-db-leader";
    request.headers["Content-Type"] = "application/merge-patch+json";
    request.body = R"({"metadata":{"annotations":{"leader":null}}})";
    auto response = client.Send(request, Deadline::After(std::chrono::seconds(20)));
    ASSERT_TRUE(response.ok());
    ASSERT_EQ(response->status, 200) << response->body;
  }
  // The end of each member's log.
  std::string WhatMembersSay() const {
    constexpr std::size_t kEnough = 4'000;
    std::string said;
    for (int i = 0; i < 3; ++i) {
      const std::string pod = "demo-db-" + std::to_string(i);
      const std::string log = FileText(root() / "logs" / ("default_" + pod + ".log"));
      said += "-- " + pod + "\n" + log.substr(log.size() - std::min(log.size(), kEnough)) + "\n";
    }
    return said;
  }
  // Processes of this run: each mentions the folder of its data, which no other run has.
  int ProcessesLeft() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      if (FileText(entry.path() / "cmdline").find(data_folder_) != std::string::npos) ++count;
    }
    return count;
  }

  const std::string data_folder_ = "/pgdata-" + std::to_string(getpid());
};

TEST_F(LocalPatroniTest, ALeaderTwoStandbysAndAServiceThatFollowsTheLeader) {
  ASSERT_TRUE(Eventually([&] { return ReadyMembers() == 3 && TwoStandbysStream(); }, kPatience))
      << FileText(root() / "logs" / "default_demo-db-0.log");
  // A member labels its pod at the end of a round of its own.
  ASSERT_TRUE(
      Eventually([&] { return PodsWithRole("master").size() == 1 && PodsWithRole("replica").size() == 2; }, kPatience));
  std::string first = PodsWithRole("master")[0];
  // A pod reached it by its name.
  ASSERT_TRUE(Eventually([&] { return AskPrimary("SELECT count(*) FROM fact") == "1"; }, kPatience));
  EXPECT_GE(ProcessesLeft(), 3);

  auto open = Primary();
  ASSERT_TRUE(open.ok()) << open.error().message();
  ASSERT_TRUE(Eventually(
      [&] {
        // The key is cleared as the operator does once the old primary is known to be dead. On a busy machine its own
        // member may still be back before the others, and takes the key again.
        if (KeyHolder() == first) {
          kill(ContainerPid(first), SIGKILL);
          ClearLeaderKey();
        }
        std::vector<std::string> leaders = PodsWithRole("master");
        return std::any_of(leaders.begin(), leaders.end(), [&](const std::string& each) { return each != first; }) &&
               AskPrimary("INSERT INTO fact VALUES (2) ON CONFLICT DO NOTHING RETURNING pg_is_in_recovery()") == "f";
      },
      kPatience))
      << WhatMembersSay();
  EXPECT_FALSE(open->Value("SELECT 1").ok()) << "a connection to the old leader has survived it";
  EXPECT_EQ(AskPrimary("SELECT count(*) FROM fact"), "2");
  // The old leader comes back as a standby.
  EXPECT_TRUE(Eventually(
      [&] {
        return ReadyMembers() == 3 && TwoStandbysStream() && PodsWithRole("master").size() == 1 &&
               PodsWithRole("master")[0] != first;
      },
      kPatience))
      << FileText(root() / "logs" / ("default_" + first + ".log"));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
  EXPECT_EQ(ProcessesLeft(), 0);
}

}  // namespace
}  // namespace holdfast::local
