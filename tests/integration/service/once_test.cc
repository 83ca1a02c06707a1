// Interactive transactions and Idempotency-Key over the wire, and what a kill leaves of them.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <set>

#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;

const std::string kStore = "/v1/stores/main";
const std::string kKeys = kStore + "/keys";

class OnceTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(OnceTest);

std::string Header(const http::ClientResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string() : found->second;
}

std::string Begin(Service& service, const std::string& body = "") {
  return service.Json("POST", kStore + "/transactions", body).at("id");
}

http::ClientResponse End(Service& service, const std::string& id, const std::string& action) {
  return service.Send("POST", fmt::format("{}/transactions/{}?action={}", kStore, id, action));
}

TEST_P(OnceTest, AnInteractiveTransactionFromBeginToCommit) {
  Service service = Start();
  service.Send("PUT", kKeys + "/stock", {}, "10");
  const std::string id = Begin(service, R"({"isolation":"serializable","timeout":"1m"})");
  const http::Headers inside = {{"Holdfast-Transaction", id}};
  EXPECT_EQ(service.Send("GET", kKeys + "/stock", inside).body, "10");
  EXPECT_EQ(service.Send("POST", kKeys + "/stock?action=increment", inside, R"({"by":-1})").body, R"({"value":9})");
  EXPECT_EQ(End(service, id, "savepoint&name=sold").status, 204);
  EXPECT_EQ(service.Send("PUT", kKeys + "/order", inside, "wrong").status, 201);
  EXPECT_EQ(End(service, id, "rollback_to&name=sold").status, 204);
  EXPECT_EQ(service.Send("GET", kKeys + "/order", inside).status, 404);
  EXPECT_EQ(service.Send("PUT", kKeys + "/order", inside, "right").status, 201);
  EXPECT_EQ(service.Send("GET", kKeys + "/stock").body, "10") << "nothing is written before the commit";
  const auto committed = End(service, id, "commit");
  EXPECT_EQ(committed.status, 200) << committed.body;
  EXPECT_EQ(service.Send("GET", kKeys + "/stock").body, "9");
  EXPECT_EQ(service.Send("GET", kKeys + "/order").body, "right");
  EXPECT_EQ(Header(service.Send("GET", kKeys + "/order"), "ETag"),
            json::parse(committed.body).at("results")[0].at("etag"));
  EXPECT_EQ(service.Send("PUT", kKeys + "/late", inside, "1").status, 404);
}

TEST_P(OnceTest, ATransactionEndsByItselfAtItsTimeout) {
  Service service = Start();
  const std::string id = Begin(service, R"({"timeout":"100ms"})");
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  auto answer = service.Send("PUT", kKeys + "/a", {{"Holdfast-Transaction", id}}, "1");
  while (answer.status != 404 && !deadline.Expired()) {
    answer = service.Send("PUT", kKeys + "/a", {{"Holdfast-Transaction", id}}, "1");
    // The limit of operations may come first.
    if (answer.status == 400) std::this_thread::yield();
  }
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, testing::HasSubstr("timeout"));
  ASSERT_TRUE(Eventually(
      [&] { return service.Admin("/metrics").body.find("holdfast_transactions_open 0") != std::string::npos; }));
  EXPECT_EQ(service.Send("GET", kKeys + "/a").status, 404);
}

// Money moves between accounts; what there is in all stays the same, and no transfer is lost or made twice.
TEST_P(OnceTest, ConcurrentTransfersKeepTheSum) {
  Service service = Start();
  constexpr int kAccounts = 4;
  constexpr int kTransfers = 12;
  for (int i = 0; i < kAccounts; ++i) service.Send("PUT", fmt::format("{}/account{}", kKeys, i), {}, "100");
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      http::ClientOptions options;
      options.base_url = service.url();
      http::HttpClient client(options);
      const auto send = [&](const std::string& method, const std::string& target, const http::Headers& headers = {},
                            const std::string& body = "") {
        auto response = client.Send({method, target, headers, body}, Deadline::After(std::chrono::seconds{60}));
        EXPECT_TRUE(response.ok());
        return response.ok() ? std::move(response).value() : http::ClientResponse();
      };
      for (int done = 0; done < kTransfers && !testing::Test::HasFailure();) {
        const json begun = json::parse(send("POST", kStore + "/transactions").body, nullptr, false);
        if (!begun.contains("id")) return ADD_FAILURE() << begun;
        const std::string id = begun.at("id");
        for (const auto& [account, by] : {std::pair{(t + done) % kAccounts, -1}, {(t + done + 1) % kAccounts, 1}}) {
          send("POST", fmt::format("{}/account{}?action=increment", kKeys, account), {{"Holdfast-Transaction", id}},
               fmt::format("{{\"by\":{}}}", by));
        }
        const auto committed = send("POST", fmt::format("{}/transactions/{}?action=commit", kStore, id));
        if (committed.status == 200) {
          ++done;
        } else {
          EXPECT_EQ(committed.status, 409) << committed.body;
          ++conflicts;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int sum = 0;
  for (int i = 0; i < kAccounts; ++i) {
    sum += std::stoi(service.Send("GET", fmt::format("{}/account{}", kKeys, i)).body);
  }
  EXPECT_EQ(sum, kAccounts * 100) << conflicts << " conflicts";
}

TEST_P(OnceTest, ARepeatGetsTheFirstAnswer) {
  Service service = Start();
  const http::Headers with_key = {{"Idempotency-Key", "4f1f-order-17"}};
  const auto first = service.Send("POST", kKeys + "/n?action=increment", with_key, R"({"by":5})");
  EXPECT_EQ(Header(first, "Holdfast-Replayed"), "");
  const auto repeat = service.Send("POST", kKeys + "/n?action=increment", with_key, R"({"by":5})");
  EXPECT_EQ(repeat.body, R"({"value":5})");
  EXPECT_EQ(Header(repeat, "ETag"), Header(first, "ETag"));
  EXPECT_EQ(Header(repeat, "Holdfast-Replayed"), "true");
  const auto other = service.Send("POST", kKeys + "/n?action=increment", with_key, R"({"by":6})");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(json::parse(other.body).at("code"), "invalid_argument");
  EXPECT_EQ(service.Send("GET", kKeys + "/n").body, "5");
}

TEST_P(OnceTest, ARepeatIsForgottenAfterItsTime) {
  Service service = Start("idempotency: {ttl: 1s}\n");
  const http::Headers with_key = {{"Idempotency-Key", "k"}};
  service.Send("POST", kKeys + "/n?action=increment", with_key);
  ASSERT_TRUE(Eventually(
      [&] { return service.Send("POST", kKeys + "/n?action=increment", with_key).body == R"({"value":2})"; }));
}

// It keeps its place in the queue, and what it was granted meanwhile waits for it.
TEST_P(OnceTest, AClientThatLeavesTheQueueForALockMayComeBack) {
  Service service = Start();
  const std::string lock = kStore + "/locks/l";
  const std::string lease = service.Json("POST", lock, R"({"owner":"first","ttl":"1h"})").at("lease");
  const std::string body = R"({"owner":"second","ttl":"1h","wait":"4m"})";
  {
    const RawSocket leaving(service.port());
    leaving.Send(fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: {}\r\n\r\n{}", lock,
                             body.size(), body));
    ASSERT_TRUE(Eventually([&] {
      return service.Admin("/metrics").body.find("holdfast_locks_waiting{store=\"main\"} 1") != std::string::npos;
    }));
  }
  const auto early = service.Send("POST", lock, {{"Idempotency-Key", "k"}}, body);
  EXPECT_EQ(json::parse(early.body).at("code"), "conflict");
  EXPECT_EQ(Header(early, "Retry-After"), "1");
  EXPECT_EQ(service.Send("DELETE", lock + "?lease=" + lease).status, 204);
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  auto answer = service.Send("POST", lock, {{"Idempotency-Key", "k"}}, body);
  while (answer.status == 409 && !deadline.Expired()) {
    answer = service.Send("POST", lock, {{"Idempotency-Key", "k"}}, body);
  }
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(Header(answer, "Holdfast-Replayed"), "true");
  EXPECT_EQ(service.Send("DELETE", lock + "?lease=" + json::parse(answer.body).at("lease").get<std::string>()).status,
            204);
}

// What is asked after the kill, with the same key as before.
TEST(OnceTest, RocksdbRepeatsAfterAKillAreAnsweredLikeBefore) {
  const TemporaryFolder folder;
  const std::tuple<std::string, std::string> requests[] = {
      {kKeys + "/n?action=increment", R"({"by":5})"},
      {kKeys + "/job?action=take", ""},
      {kStore + "/transaction", R"({"then":[{"op":"increment","key":"t"},{"op":"put","key":"u","value":"1"}]})"},
      {kStore + "/batch", R"({"operations":[{"op":"increment","key":"b"}]})"},
      {kStore + "/locks/l", R"({"owner":"me","ttl":"1h"})"},
  };
  const http::Headers with_key = {{"Idempotency-Key", "before-and-after"}};
  std::vector<http::ClientResponse> first;
  std::string committed;
  std::string open;
  {
    Service service(folder, "rocksdb");
    service.Send("PUT", kKeys + "/job", {{"Content-Type", "text/plain"}}, "once");
    for (const auto& [target, body] : requests) {
      first.push_back(service.Send("POST", target, with_key, body));
      EXPECT_LT(first.back().status, 300) << target;
    }
    committed = Begin(service);
    service.Send("PUT", kKeys + "/committed", {{"Holdfast-Transaction", committed}}, "1");
    EXPECT_EQ(End(service, committed, "commit").status, 200);
    open = Begin(service);
    service.Send("PUT", kKeys + "/open", {{"Holdfast-Transaction", open}}, "1");
    service.process().Signal(SIGKILL);
    EXPECT_EQ(service.process().Wait(), 128 + SIGKILL);
  }
  Service service(folder, "rocksdb");
  service.Send("PUT", kKeys + "/job", {}, "twice");
  for (std::size_t i = 0; i < std::size(requests); ++i) {
    const auto& [target, body] = requests[i];
    const auto repeat = service.Send("POST", target, with_key, body);
    EXPECT_EQ(repeat.status, first[i].status) << target;
    EXPECT_EQ(repeat.body, first[i].body) << target;
    for (const char* name : {"ETag", "Content-Type"}) EXPECT_EQ(Header(repeat, name), Header(first[i], name)) << target;
    EXPECT_EQ(Header(repeat, "Holdfast-Replayed"), "true") << target;
  }
  for (const auto& [key, value] : {std::pair{"n", "5"}, {"job", "twice"}, {"t", "1"}, {"b", "1"}, {"committed", "1"}}) {
    EXPECT_EQ(service.Send("GET", fmt::format("{}/{}", kKeys, key)).body, value);
  }
  const auto repeated = End(service, committed, "commit");
  EXPECT_EQ(repeated.body, R"({"committed":true})");
  EXPECT_EQ(Header(repeated, "Holdfast-Replayed"), "true");
  EXPECT_EQ(End(service, open, "commit").status, 404);
  EXPECT_EQ(service.Send("GET", kKeys + "/open").status, 404);
}

// Each client counts up with a key of its own for every request, until the service is killed under them. Whoever got no
// answer does not know whether it was counted. Afterwards all send everything again: every number comes exactly once,
// and nobody is answered otherwise than before.
TEST(OnceTest, RocksdbAKillUnderLoadCountsNothingTwiceAndLosesNothing) {
  const TemporaryFolder folder;
  constexpr int kClients = 4;
  constexpr int kEnough = 150;
  const auto request = [](const std::string& key) {
    return fmt::format(
        "POST {}/n?action=increment HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {}\r\nContent-Length: 0\r\n\r\n", kKeys,
        key);
  };
  const auto value_of = [](const std::string& answer) {
    const std::size_t brace = answer.find('{');
    const json body = brace == std::string::npos ? json() : json::parse(answer.substr(brace), nullptr, false);
    return body.is_object() && body.contains("value") ? std::optional<int>(body.at("value")) : std::nullopt;
  };
  std::vector<std::vector<std::pair<std::string, std::optional<int>>>> sent(kClients);
  {
    Service service(folder, "rocksdb");
    std::atomic<int> answers{0};
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, client] {
        const RawSocket socket(service.port());
        auto& own = sent[static_cast<std::size_t>(client)];
        while (true) {
          own.emplace_back(fmt::format("{}-{}", client, own.size()), std::nullopt);
          socket.Send(request(own.back().first));
          own.back().second = value_of(socket.ReadUntil("}"));
          if (!own.back().second) return;
          ++answers;
        }
      });
    }
    const Deadline deadline = Deadline::After(std::chrono::seconds{60});
    while (answers < kEnough && !deadline.Expired()) std::this_thread::yield();
    service.process().Signal(SIGKILL);
    EXPECT_EQ(service.process().Wait(), 128 + SIGKILL);
    for (std::thread& client : clients) client.join();
    EXPECT_GE(answers, kEnough);
  }
  Service service(folder, "rocksdb");
  std::set<int> values;
  std::size_t requests = 0;
  for (const auto& own : sent) {
    for (const auto& [key, before] : own) {
      ++requests;
      const auto answer = service.Send("POST", kKeys + "/n?action=increment", {{"Idempotency-Key", key}});
      ASSERT_EQ(answer.status, 200) << answer.body;
      const int value = json::parse(answer.body).at("value");
      EXPECT_EQ(value, before.value_or(value)) << key;
      EXPECT_TRUE(values.insert(value).second) << value << " was given twice";
    }
  }
  EXPECT_EQ(*values.rbegin(), static_cast<int>(requests));
  EXPECT_EQ(service.Send("GET", kKeys + "/n").body, std::to_string(requests));
}

}  // namespace
}  // namespace holdfast
