// `local` as a person meets it: the whole program with the real operator and the real service as its children.
#include "base/http/http_listener.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;

TEST_F(LocalCommandTest, rocksdb_ServesAndKeepsDataOverKillsAndRestarts) {
  Start(Manifest(kEmbedded));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Store("GET").body, "hello");

  pid_t first = ServicePid();
  ASSERT_TRUE(Runs(first));
  kill(first, SIGKILL);
  pid_t second = first;
  ASSERT_TRUE(Eventually([&] {
    second = ServicePid();
    return second > 0 && second != first && Store("GET").body == "hello";
  }));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
  EXPECT_FALSE(Runs(second));

  Start(Manifest(kEmbedded));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Store("GET").body, "hello");
  program_->Signal(SIGINT);
  EXPECT_EQ(ExitStatus(), 0);
}

TEST_F(LocalCommandTest, tiered_StoresOfTwoBackendsAreServed) {
  Start(ManifestOf(R"(
  backends: [{name: local, embedded: {storage: {size: 1Gi}}}, {name: hot, memory: {}}, {name: spare, memory: {}}]
  stores:
    - {name: fast, tiered: {store: local, cache: hot, ttl: 10m}}
    - {name: ha, failover: {primary: local, secondary: spare, maxLag: 5s}}
    - {name: kept, failover: {primary: spare, secondary: local, mode: ReadWrite}}
)"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  const std::string url = Event("running")["url"];
  const auto described = [&](const std::string& store) {
    return json::parse(Ask(url, "GET", "/v1/stores/" + store).body, nullptr, false);
  };
  EXPECT_EQ(described("fast").at("kind"), "tiered");
  EXPECT_EQ(described("fast").at("/composition/tiered/cache"_json_pointer), "hot");
  EXPECT_EQ(described("ha").at("/composition/failover/secondary"_json_pointer), "spare");
  EXPECT_EQ(described("ha").at("/composition/failover/mode"_json_pointer), "read_only");
  EXPECT_EQ(described("kept").at("/composition/failover/mode"_json_pointer), "read_write");
  for (const std::string store : {"fast", "ha", "kept"}) {
    const std::string key = "/v1/stores/" + store + "/keys/greeting";
    EXPECT_EQ(Ask(url, "PUT", key, store).status, 201);
    EXPECT_EQ(Ask(url, "GET", key).body, store);
  }
}

// A store of three replicas, and one whose writes wait on the pod's volume.
TEST_F(LocalCommandTest, replicated_AndQueuedWritesAreKeptOverAKill) {
  Start(ManifestOf(R"(
  backends:
    - {name: a, embedded: {storage: {size: 64Mi}}}
    - {name: b, embedded: {storage: {size: 64Mi}}}
    - {name: c, embedded: {storage: {size: 64Mi}}}
    - {name: db, embedded: {storage: {size: 64Mi}}}
    - {name: log, embedded: {storage: {size: 64Mi}}}
    - {name: hot, memory: {maxBytes: 16Mi}}
  stores:
    - {name: main, replicated: {backends: [a, b, c]}, durable: true}
    - {name: back, tiered: {store: db, cache: hot, write: Back, writeQueue: log, writeBackDelay: 1h}}
)"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  const std::string url = Event("running")["url"];
  const auto described = [&](const std::string& store) {
    return json::parse(Ask(url, "GET", "/v1/stores/" + store).body, nullptr, false);
  };
  const auto up = [&] {
    json store = described("main");
    json::json_pointer replicas("/composition/replicated/replicas");
    if (!store.is_object() || !store.contains(replicas)) return false;
    return std::all_of(store[replicas].begin(), store[replicas].end(),
                       [](const json& replica) { return replica.at("standing") == "up"; });
  };
  ASSERT_TRUE(Eventually(up)) << described("main");
  for (const std::string store : {"main", "back"}) {
    EXPECT_EQ(Ask(url, "PUT", "/v1/stores/" + store + "/keys/greeting", store).status, 201);
  }
  EXPECT_EQ(described("back").at("/composition/tiered/queue/entries"_json_pointer), 1) << "its delay is an hour";
  EXPECT_EQ(described("back").at("/capabilities/durable_ack"_json_pointer), true);

  for (const std::string replica : {"a", "b", "c"}) {
    EXPECT_TRUE(std::filesystem::exists(FolderOf("replica-" + replica + "-demo-0") / "db" / "CURRENT")) << replica;
  }
  pid_t first = ServicePid();
  ASSERT_TRUE(Runs(first));
  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually([&] {
    const pid_t second = ServicePid();
    return second > 0 && second != first && Ask(url, "GET", "/v1/stores/main/keys/greeting").body == "main";
  }));
  EXPECT_EQ(Ask(url, "GET", "/v1/stores/back/keys/greeting").body, "back");
}

TEST_F(LocalCommandTest, memory_WritesNothingAtRest) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  auto revision = [&] { return Kubernetes("/api/v1/namespaces").at("/metadata/resourceVersion"_json_pointer); };
  // What is still under way when it says it is ready may end, and a busy machine may hold a probe up; what writes by
  // itself does so again and again.
  EXPECT_TRUE(Eventually([&] {
    json before = revision();
    std::this_thread::sleep_for(std::chrono::seconds(3));  // the measurement itself
    return revision() == before;
  }));
}

TEST_F(LocalCommandTest, memory_TheServiceDiesWithAKilledLocal) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  pid_t service = ServicePid();
  ASSERT_TRUE(Runs(service));
  kill(program_->pid(), SIGKILL);
  ExitStatus();
  EXPECT_TRUE(Eventually([&] { return !Runs(service); }));
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
}

TEST_F(LocalCommandTest, ABadManifestIsOneLineAndStartsNothing) {
  Start(Manifest("teapot: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  std::string text = FileText(output());
  EXPECT_THAT(text, HasSubstr("holdfast-operator local: " + (folder_ / "manifest.yaml").string() + ": "));
  EXPECT_THAT(text, HasSubstr("teapot"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(root()));

  Start((folder_ / "missing.yaml").string());
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr("cannot read " + (folder_ / "missing.yaml").string()));
}

TEST_F(LocalCommandTest, ATakenPortIsNamedBeforeAnythingStarts) {
  http::ListenerOptions options;
  options.address = address_;
  options.port = 9090;
  auto holder = http::HttpListener::Start(options, [](const http::ServerRequest&, http::ResponseWriter&) {});
  ASSERT_TRUE(holder.ok()) << holder.error().message();
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr(address_ + ":9090: Address already in use"));
}

TEST_F(LocalCommandTest, memory_ASecondOnTheSameFolderIsRefused) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  std::unique_ptr<Process> running = std::move(program_);
  std::string holder = std::to_string(running->pid());
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr("is in use by another holdfast-operator local (process " + holder + ")"));
}

TEST_F(LocalCommandTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(root()) << "a file";
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr(root().string()));
}

TEST_F(LocalCommandTest, memory_OtherPortsAreTakenWhereTheUsualOnesAreNot) {
  http::ListenerOptions options;
  options.address = address_;
  options.port = 8080;
  auto holder = http::HttpListener::Start(options, [](const http::ServerRequest&, http::ResponseWriter&) {});
  ASSERT_TRUE(holder.ok()) << holder.error().message();
  Start(Manifest("memory: {}"), {"--data-port", "8088", "--admin-port", "9099"});
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Event("running")["url"], "http://" + address_ + ":8088");
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Ask("http://" + address_ + ":9099", "GET", "/readyz").status, 200);
}

TEST_F(LocalCommandTest, memory_NotReadyInTimeSaysWhyAndStopsEverything) {
  std::filesystem::create_directories(folder_ / "empty");
  Start(Manifest("memory: {}"), {"--ready-timeout", "2", "--programs", (folder_ / "empty").string()});
  EXPECT_EQ(ExitStatus(), 1);
  EXPECT_THAT(FileText(output()), HasSubstr("demo is not ready: "));
  EXPECT_THAT(FileText(output()), HasSubstr("pod demo-0: the program \"holdfast\" is not in "));
  EXPECT_FALSE(Event("stopped").is_null());
}

}  // namespace
}  // namespace holdfast::local
