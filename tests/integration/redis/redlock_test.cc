// The service with its locks on five Redis servers (stores.*.lock_backends).
#include <fmt/format.h>

#include <csignal>
#include <thread>

#include "tests/integration/redis/redis_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const std::string kLock = "/v1/stores/main/locks/a";
constexpr std::size_t kMasters = 5;

class RedlockService : public OverRedis {
 protected:
  RedlockService() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    while (masters_.size() < kMasters) masters_.push_back(redis_servers::RedisServer::Start(options).value());
  }
  redis_servers::RedisServer& master(std::size_t i) { return *masters_[i]; }

  // The store itself on `backend`.
  Service Start(const std::string& backend) {
    return Service(first_folder_, backend + Masters(),
                   "stores: {main: {backend: local, lock_backends: [r0, r1, r2, r3, r4]}}\n"
                   "locks: {quorum_timeout: 2s, quorum_max_ttl: 10m}\nhealth: {interval: 100ms, timeout: 1s}\n");
  }
  // The further backends, behind the first one's type.
  std::string Masters() const {
    std::string text;
    for (std::size_t i = 0; i < kMasters; ++i) {
      text += fmt::format("}}, r{}: {{type: redis, durable: true, connect_timeout: 2s, pool_max: 4, url: \"{}\"", i,
                          masters_[i]->Url());
    }
    return text;
  }
  static http::ClientResponse Acquire(Service& service, const std::string& owner, const std::string& wait = "0s") {
    return service.Send("POST", kLock, {}, fmt::format(R"({{"owner":"{}","ttl":"5m","wait":"{}"}})", owner, wait));
  }

 private:
  std::vector<std::unique_ptr<redis_servers::RedisServer>> masters_;
};

TEST_F(RedlockService, redlock_locks_are_granted_kept_and_fenced_while_a_minority_is_down) {
  Service service = Start("rocksdb");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main").at("lock_quorum"),
            nlohmann::json::parse(R"({"backends":["r0","r1","r2","r3","r4"],"majority":3})"));
  const auto first = Acquire(service, "one");
  ASSERT_EQ(first.status, 201) << first.body;
  const nlohmann::json grant = nlohmann::json::parse(first.body);
  EXPECT_EQ(CodeOf(Acquire(service, "two")), "held");
  EXPECT_EQ(service.Json("GET", kLock).at("holder"), "one");
  const auto guarded = [&](const nlohmann::json& of) {
    return service
        .Send("PUT", KeyPath("guarded"), {{"Holdfast-Fence", fmt::format("a={}", of.at("token").get<std::uint64_t>())}},
              "v")
        .status;
  };
  EXPECT_EQ(guarded(grant), 201);

  master(1).Kill();
  master(4).Freeze();
  const nlohmann::json extended =
      service.Json("PUT", kLock, nlohmann::json{{"lease", grant.at("lease")}, {"ttl", "10m"}}.dump());
  EXPECT_EQ(extended.at("token"), grant.at("token")) << extended;
  EXPECT_GT(extended.at("expires_at"), grant.at("expires_at"));
  // Whoever waits is woken by the release.
  http::ClientResponse second;
  std::thread waiter([&] { second = Acquire(service, "two", "30s"); });
  EXPECT_TRUE(Eventually([&] {
    return service.Admin("/metrics").body.find("holdfast_locks_waiting{store=\"main\"} 1") != std::string::npos;
  }));
  EXPECT_EQ(service.Send("DELETE", kLock + "?lease=" + grant.at("lease").get<std::string>()).status, 204);
  waiter.join();
  ASSERT_EQ(second.status, 201) << second.body;
  const nlohmann::json heir = nlohmann::json::parse(second.body);
  EXPECT_GT(heir.at("token"), grant.at("token"));
  EXPECT_EQ(guarded(grant), 412);
  EXPECT_EQ(guarded(heir), 204);

  // Without a majority nobody is told anything about locks, and the keys go on.
  master(0).Kill();
  const auto refused = Acquire(service, "three");
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("2 of the 5 servers"));
  EXPECT_EQ(service.Send("GET", kLock).status, 503);
  EXPECT_EQ(guarded(heir), 204);
  EXPECT_EQ(service.Admin("/readyz").status, 200);
}

// An election is a lock by another name; its observers hear of it through the store's own backend.
TEST_F(RedlockService, redlock_elections_are_observed) {
  Service service = Start("rocksdb");
  const std::string election = "/v1/stores/main/elections/e";
  std::string told;
  std::jthread observer([&] { told = service.Send("GET", election, {{"Holdfast-Timeout", "8s"}}).body; });
  EXPECT_TRUE(Eventually([&] {
    return service.Admin("/metrics").body.find("holdfast_elections_observers{store=\"main\"} 1") != std::string::npos;
  }));
  // A server that has just been met may answer too late for the first lock, which needs them all.
  nlohmann::json leader;
  EXPECT_TRUE(Eventually([&] {
    leader = service.Json("POST", election, R"({"owner":"one","ttl":"5m"})");
    return leader.contains("lease");
  })) << leader.dump();
  EXPECT_EQ(service.Send("DELETE", election + "?lease=" + leader.value("lease", "")).status, 204);
  observer.join();
  EXPECT_THAT(told, HasSubstr("\"holder\":\"one\"")) << told;
  EXPECT_LT(told.find("event: leader"), told.rfind("event: vacant")) << told;
}

// The store's own Redis fails over to a server that knows nothing: what is held stays held.
TEST_F(RedlockService, redlock_a_lock_outlives_the_data_of_the_store) {
  redis_servers::ServerOptions options;
  options.append_only = true;
  const auto data = redis_servers::RedisServer::Start(options).value();
  Service service = Start(fmt::format("redis, url: \"{}\"", data->Url()));
  const nlohmann::json grant = nlohmann::json::parse(Acquire(service, "one").body);
  ASSERT_TRUE(data->Cli({"FLUSHALL"}).ok());
  EXPECT_EQ(CodeOf(Acquire(service, "two")), "held");
  EXPECT_EQ(service.Json("GET", kLock).at("holder"), "one");
}

TEST_F(RedlockService, redlock_a_service_starts_while_a_minority_is_down_and_bounds_the_ttl) {
  { EXPECT_EQ(Acquire(*std::make_unique<Service>(Start("rocksdb")), "one").status, 201); }
  master(0).Kill();
  master(3).Kill();
  Service service = Start("rocksdb");
  EXPECT_EQ(CodeOf(Acquire(service, "two")), "held");
  const auto refused = service.Send("POST", kLock, {}, R"({"owner":"one","ttl":"11m"})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("locks.quorum_max_ttl"));
}

TEST_F(RedlockService, redlock_a_store_that_requires_fencing_refuses_a_backend_that_may_forget_tokens) {
  const auto serve = [&](const std::string& backend) {
    Process::Options options;
    const std::string file = first_folder_.Write(
        "refused.yaml", fmt::format("listen: {{address: 127.0.0.1, port: 0}}\nadmin: {{address: 127.0.0.1, port: 0}}\n"
                                    "data_dir: {}\nbackends: {{local: {{type: {}}}}}\n"
                                    "stores: {{main: {{backend: local, require_fencing: true}}}}\n",
                                    (first_folder_.path() / "data").string(), backend));
    options.words = {"serve", "--config", file};
    return options;
  };
  for (const std::string& backend : {std::string("memory"), fmt::format("redis, url: \"{}\"", master(0).Url())}) {
    const Finished refused = RunHoldfast(serve(backend));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.errors, HasSubstr("setting stores.main.require_fencing"));
    EXPECT_THAT(refused.errors, HasSubstr("fencing tokens"));
  }
  Process accepted(serve("rocksdb"));
  EXPECT_TRUE(Eventually([&] { return accepted.Errors().find("\"serving\"") != std::string::npos; }));
  accepted.Signal(SIGTERM);
  EXPECT_EQ(accepted.Wait(), 0);
}

}  // namespace
}  // namespace holdfast
