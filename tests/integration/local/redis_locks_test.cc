// A store whose locks are kept on a majority of three Redis servers (stores[].lockBackends), by nothing but the
// operator and Debian's redis-server.
#include "tests/integration/local/local_command_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

// The machine may be busy.
constexpr std::chrono::seconds kPatience{120};
constexpr char kLock[] = "/v1/stores/main/locks/a";
constexpr char kServer[] = "redis: {storage: {size: 1Gi}, maxMemory: 32Mi, persistence: {fsync: always}}";

class LocalRedisLocksTest : public LocalCommandTest {
 protected:
  std::string StoreAndLocks() const {
    std::string spec = "  backends:\n    - {name: local, embedded: {storage: {size: 1Gi}}}\n";
    for (const char* name : {"l1", "l2", "l3"}) {
      spec.append("    - {name: ").append(name).append(", ").append(kServer).append("}\n");
    }
    return ManifestOf(spec + "  stores: [{name: main, backend: local, lockBackends: [l1, l2, l3]}]\n");
  }
  json Server(const std::string& name) const {
    return Kubernetes("/api/v1/namespaces/default/pods/demo-" + name + "-0");
  }
  pid_t PidOf(const std::string& name) const {
    const json pod = Server(name);
    if (!pod.is_object()) return 0;
    const std::string id = pod.value("/status/containerStatuses/0/containerID"_json_pointer, "");
    return id.empty() ? 0 : std::stoi(id.substr(std::string("process://").size()));
  }
  // The process and whatever it has started.
  static void Freeze(pid_t pid) {
    ASSERT_EQ(kill(pid, SIGSTOP), 0) << pid;
    const std::string process = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid);
    std::istringstream children(FileText(process + "/children"));
    for (pid_t child = 0; children >> child;) Freeze(child);
  }
  void Freeze(const std::string& name) const {
    const pid_t pid = PidOf(name);
    ASSERT_GT(pid, 0) << name;
    Freeze(pid);
  }
  // The calls of a quorum have a fifth of a second each, which a busy machine may not keep: what was refused for that
  // is asked again, and what it may have left has expired by then.
  http::ClientResponse Settled(const std::string& method, const std::string& target, const std::string& body) const {
    http::ClientResponse answer;
    Eventually(
        [&] {
          answer = Ask(Event("running")["url"], method, target, body);
          return answer.status != 0 && answer.status != 503;
        },
        kPatience);
    return answer;
  }
  http::ClientResponse Acquire(const std::string& owner) const {
    return Settled("POST", kLock, json{{"owner", owner}, {"ttl", "20s"}}.dump());
  }
  json Extended(const json& grant) const {
    return json::parse(Settled("PUT", kLock, json{{"lease", grant.at("lease")}, {"ttl", "5m"}}.dump()).body);
  }
  int Guarded(const json& grant) const {
    http::ClientOptions options;
    options.base_url = Event("running")["url"];
    http::HttpClient client(options);
    const std::string fence = "a=" + std::to_string(grant.at("token").get<std::uint64_t>());
    const auto answer = client.Send({"PUT", "/v1/stores/main/keys/guarded", {{"Holdfast-Fence", fence}}, "v"},
                                    Deadline::After(std::chrono::seconds(10)));
    return answer.ok() ? answer->status : 0;
  }
};

TEST_F(LocalRedisLocksTest, redlock_AMajorityKeepsTheLocksOfAStore) {
  Start(StoreAndLocks(), {"--ready-timeout", "100"});
  WaitUntilRunning(kPatience);
  if (HasFatalFailure()) return;
  const json store = json::parse(Ask(Event("running")["url"], "GET", "/v1/stores/main").body);
  EXPECT_EQ(store.value("lock_quorum", json()), (json{{"backends", {"l1", "l2", "l3"}}, {"majority", 2}}));

  // The first grant needs all of them.
  const auto first = Acquire("one");
  ASSERT_EQ(first.status, 201) << first.body;
  const json one = json::parse(first.body);
  EXPECT_EQ(Guarded(one), 201);

  // Without one of them locks are extended, released and granted, and tokens go on.
  Freeze("l1");
  EXPECT_EQ(Extended(one).value("token", json()), one.at("token"));
  const std::string lease = one.at("lease");
  EXPECT_EQ(Settled("DELETE", std::string(kLock) + "?lease=" + lease, "").status, 204);
  const auto second = Acquire("two");
  ASSERT_EQ(second.status, 201) << second.body;
  const json two = json::parse(second.body);
  EXPECT_GT(two.at("token"), one.at("token"));
  EXPECT_EQ(Guarded(one), 412);
  EXPECT_EQ(Guarded(two), 204);
  EXPECT_EQ(Extended(two).value("token", json()), two.at("token"));

  // Without two nobody is granted anything: it is they who keep them.
  Freeze("l2");
  const auto refused = Ask(Event("running")["url"], "POST", "/v1/stores/main/locks/b", R"({"owner":"three"})");
  EXPECT_EQ(refused.status, 503) << refused.body;

  // Killed, they come back with what they had granted.
  for (const char* name : {"l1", "l2"}) {
    const pid_t before = PidOf(name);
    ASSERT_EQ(kill(before, SIGKILL), 0) << name;
    ASSERT_TRUE(Eventually([&] { return PidOf(name) > 0 && PidOf(name) != before; }, kPatience)) << name;
  }
  // Of l1 that is the first lease, which says so until it has expired: where another one is slow, that is what is told.
  http::ClientResponse held;
  EXPECT_TRUE(Eventually(
      [&] {
        held = Acquire("three");
        return held.status == 409 && json::parse(held.body).value("holder", "") == "two";
      },
      kPatience))
      << held.body;
  EXPECT_EQ(Settled("DELETE", std::string(kLock) + "?lease=" + two.at("lease").get<std::string>(), "").status, 204);
  http::ClientResponse third;
  ASSERT_TRUE(Eventually([&] { return (third = Acquire("three")).status == 201; }, kPatience)) << third.body;
  EXPECT_GT(json::parse(third.body).at("token"), two.at("token"));
  EXPECT_EQ(Guarded(two), 412);

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
