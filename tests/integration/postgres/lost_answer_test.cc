// The connection is lost while a write is between the client and its answer: nobody knows, so that is what is said, and
// the write is not tried again behind the client's back.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "tests/integration/postgres/cutting_proxy.h"
#include "tests/integration/postgres/fault_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

class LostAnswerTest : public PostgresFaultTest {
 protected:
  LostAnswerTest() : proxy_(server().port()) {
    std::string url = Url();
    const std::string port = fmt::format(":{}/", server().port());
    url.replace(url.find(port), port.size(), fmt::format(":{}/", proxy_.port()));
    StartService("", url);
  }
  ~LostAnswerTest() override { ExpectNoConnectionLeft(); }

  void ExpectUnknown(const http::ClientResponse& answer) {
    EXPECT_EQ(answer.status, 504);
    EXPECT_EQ(CodeOf(answer), "outcome_unknown") << answer.body;
    // A client that tries again by itself would do it twice.
    EXPECT_EQ(nlohmann::json::parse(answer.body).at("retryable"), false);
  }
  http::ClientResponse Post(const std::string& target, const std::string& body, const std::string& key = "") {
    http::Headers headers{{"Content-Type", "application/json"}};
    if (!key.empty()) headers.emplace("Idempotency-Key", key);
    return service().Send("POST", "/v1/stores/main" + target, headers, body);
  }

  CuttingProxy proxy_;
};

TEST_F(LostAnswerTest, postgres_fault_behind_the_commit_the_write_is_unknown_and_there) {
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  ExpectUnknown(Put("k", "1"));
  EXPECT_EQ(Get("k").body, "1");
  EXPECT_EQ(proxy_.cuts(), 1);
}

TEST_F(LostAnswerTest, postgres_fault_before_the_server_the_write_is_unknown_and_not_there) {
  proxy_.CutNext("write_entries", Cut::kBeforeTheServer);
  ExpectUnknown(Put("k", "1"));
  EXPECT_EQ(Get("k").status, 404);
  EXPECT_EQ(proxy_.cuts(), 1);
}

TEST_F(LostAnswerTest, postgres_fault_an_unknown_increment_is_not_repeated) {
  ASSERT_EQ(Post("/keys/n?action=increment", R"({"by":1})").status, 200);
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  ExpectUnknown(Post("/keys/n?action=increment", R"({"by":1})"));
  EXPECT_EQ(Get("n").body, "2");
  proxy_.CutNext("write_entries", Cut::kBeforeTheServer);
  ExpectUnknown(Post("/keys/n?action=increment", R"({"by":1})"));
  EXPECT_EQ(Get("n").body, "2");
}

TEST_F(LostAnswerTest, postgres_fault_an_unknown_transaction_is_whole_or_absent) {
  const std::string transaction = R"({"if":[{"key":"a","exists":false}],"then":[{"op":"put","key":"a","value":"1"},)"
                                  R"({"op":"put","key":"b","value":"1"}]})";
  proxy_.CutNext("write_entries", Cut::kBeforeTheServer);
  ExpectUnknown(Post("/transaction", transaction));
  EXPECT_THAT(Everything(), testing::IsEmpty());
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  ExpectUnknown(Post("/transaction", transaction));
  EXPECT_EQ(Everything(), (WriteHistory::Entries{{"a", "1"}, {"b", "1"}}));
}

TEST_F(LostAnswerTest, postgres_fault_what_a_batch_only_read_is_answered) {
  ASSERT_EQ(CodeOf(Put("old", "1")), "ok");
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  const auto answer = nlohmann::json::parse(
      Post("/batch", R"({"operations":[{"op":"get","key":"old"},{"op":"put","key":"new","value":"1"}]})").body);
  EXPECT_EQ(answer.at("results").at(0).at("value"), "1") << answer.dump();
  EXPECT_EQ(answer.at("results").at(1).at("error").at("code"), "outcome_unknown") << answer.dump();
  EXPECT_EQ(Get("new").body, "1");
}

TEST_F(LostAnswerTest, postgres_fault_a_read_without_its_answer_may_be_asked_again) {
  ASSERT_EQ(CodeOf(Put("k", "1")), "ok");
  proxy_.CutNext("read_entries", Cut::kBehindTheCommit);
  const auto answer = Get("k");
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_EQ(answer.headers.count("Retry-After"), 1u);
  EXPECT_EQ(Get("k").body, "1");
}

// With an Idempotency-Key the service finds out by itself, wherever the connection was cut.
TEST_F(LostAnswerTest, postgres_fault_with_a_key_a_counter_counts_exactly_once) {
  constexpr int kIncrements = 8;
  for (int i = 1; i <= kIncrements; ++i) {
    proxy_.CutNext("write_entries", i % 2 == 0 ? Cut::kBehindTheCommit : Cut::kBeforeTheServer);
    const std::string key = fmt::format("key-{}", i);
    const auto answer = Post("/keys/n?action=increment", R"({"by":1})", key);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body, fmt::format(R"({{"value":{}}})", i));
    EXPECT_EQ(answer.headers.count("Holdfast-Replayed"), 0u);
    const auto repeat = Post("/keys/n?action=increment", R"({"by":1})", key);
    EXPECT_EQ(repeat.body, answer.body);
    EXPECT_EQ(repeat.headers.count("Holdfast-Replayed"), 1u);
  }
  EXPECT_EQ(proxy_.cuts(), kIncrements);
  EXPECT_EQ(Get("n").body, std::to_string(kIncrements));
}

// The control: without one, who asks again counts twice.
TEST_F(LostAnswerTest, postgres_fault_without_a_key_a_repeat_counts_twice) {
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  ExpectUnknown(Post("/keys/n?action=increment", R"({"by":1})"));
  EXPECT_EQ(Post("/keys/n?action=increment", R"({"by":1})").body, R"({"value":2})");
}

// The same by many clients at once, whose connections are cut all the time.
TEST_F(LostAnswerTest, postgres_fault_with_keys_many_clients_count_exactly_once) {
  constexpr int kClients = 4;
  constexpr int kIncrements = 8;
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      http::ClientOptions options;
      options.base_url = service().url();
      http::HttpClient http(options);
      for (int i = 0; i < kIncrements; ++i) {
        // The client repeats what it got no answer to, as the key allows it.
        for (bool known = false; !known;) {
          const auto answer = http.Send({"POST",
                                         "/v1/stores/main/keys/n?action=increment",
                                         {{"Content-Type", "application/json"},
                                          {"Idempotency-Key", fmt::format("{}-{}", client, i)},
                                          {"Holdfast-Timeout", "20s"}},
                                         R"({"by":1})"},
                                        Deadline::After(std::chrono::seconds{60}));
          ASSERT_TRUE(answer.ok()) << answer.error().ToString();
          known = answer->status == 200;
          EXPECT_TRUE(known || answer->status == 503 || answer->status == 409) << answer->body;
        }
        ++acknowledged;
      }
    });
  }
  std::thread cutter([&] {
    for (int round = 0; !stopping; ++round) {
      const int before = proxy_.cuts();
      proxy_.CutNext("write_entries", round % 2 == 0 ? Cut::kBehindTheCommit : Cut::kBeforeTheServer);
      while (proxy_.cuts() == before && !stopping) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  });
  for (std::thread& client : clients) client.join();
  stopping = true;
  cutter.join();
  proxy_.LetPass();
  EXPECT_EQ(acknowledged, kClients * kIncrements);
  EXPECT_GT(proxy_.cuts(), 3);
  EXPECT_EQ(Get("n").body, std::to_string(kClients * kIncrements));
}

TEST_F(LostAnswerTest, postgres_fault_with_a_key_a_transaction_is_known_to_be_committed) {
  const std::string transaction = R"({"if":[{"key":"a","exists":false}],"then":[{"op":"put","key":"a","value":"1"},)"
                                  R"({"op":"increment","key":"n"}],"else":[{"op":"increment","key":"twice"}]})";
  for (const Cut cut : {Cut::kBehindTheCommit, Cut::kBeforeTheServer}) {
    proxy_.CutNext("write_entries", cut);
    const auto answer = Post("/transaction", transaction, cut == Cut::kBehindTheCommit ? "one" : "two");
    ASSERT_EQ(answer.status, 200) << answer.body;
    // The second one finds what the first has left: it took effect once.
    EXPECT_EQ(nlohmann::json::parse(answer.body).at("committed"), cut == Cut::kBehindTheCommit);
  }
  EXPECT_EQ(Everything(), (WriteHistory::Entries{{"a", "1"}, {"n", "1"}, {"twice", "1"}}));
}

// One token for one acquire, also when nobody was told of it at first.
TEST_F(LostAnswerTest, postgres_fault_a_lock_whose_grant_was_lost_is_found_by_its_lease) {
  std::uint64_t newest = 0;
  for (const Cut cut : {Cut::kBehindTheCommit, Cut::kBeforeTheServer}) {
    proxy_.CutNext("write_entries", cut);
    const auto granted = Post("/locks/l", R"({"owner":"me","ttl":"1h"})");
    ASSERT_EQ(granted.status, 201) << granted.body;
    const auto grant = nlohmann::json::parse(granted.body);
    const auto holder = service().Json("GET", "/v1/stores/main/locks/l");
    EXPECT_EQ(holder.at("token"), grant.at("token"));
    EXPECT_GT(grant.at("token").get<std::uint64_t>(), newest);
    newest = grant.at("token");
    // It is not reentrant, and nobody else gets it.
    EXPECT_EQ(CodeOf(Post("/locks/l", R"({"owner":"me","ttl":"1h"})")), "held");
    const std::string lease = grant.at("lease");
    const auto write =
        service().Send("PUT", "/v1/stores/main/keys/k", {{"Holdfast-Fence", fmt::format("l={}", newest)}}, "fenced");
    EXPECT_EQ(CodeOf(write), "ok") << write.body;
    EXPECT_EQ(service().Send("DELETE", "/v1/stores/main/locks/l?lease=" + lease).status, 204);
  }
  EXPECT_EQ(proxy_.cuts(), 2);
}

// With an Idempotency-Key the client's own repeat finds the same lease.
TEST_F(LostAnswerTest, postgres_fault_a_repeated_acquire_with_a_key_finds_its_lease) {
  const std::string body = R"({"owner":"me","ttl":"1h"})";
  // Not the claim of the key, but the grant behind it.
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit, 1);
  const auto granted = Post("/locks/l", body, "k");
  EXPECT_EQ(proxy_.cuts(), 1);
  ASSERT_EQ(granted.status, 201) << granted.body;
  const auto repeat = Post("/locks/l", body, "k");
  EXPECT_EQ(repeat.status, 201);
  EXPECT_EQ(repeat.body, granted.body);
  EXPECT_EQ(repeat.headers.count("Holdfast-Replayed"), 1u);
}

// Nothing can be found out of a server that has gone: then it is unknown, also when the next attempt was refused.
TEST_F(LostAnswerTest, postgres_fault_with_a_key_and_no_server_left_it_stays_unknown) {
  ASSERT_EQ(Post("/keys/n?action=increment", R"({"by":1})", "before").status, 200);
  proxy_.RefuseBehindTheNextCut();
  proxy_.CutNext("write_entries", Cut::kBehindTheCommit);
  ExpectUnknown(Post("/keys/n?action=increment", R"({"by":1})", "k"));
  proxy_.Accept();
  ExpectRecovery();
  // The client's own repeat finds it.
  const auto repeat = Post("/keys/n?action=increment", R"({"by":1})", "k");
  EXPECT_EQ(repeat.body, R"({"value":2})");
  EXPECT_EQ(repeat.headers.count("Holdfast-Replayed"), 1u);
}

TEST_F(LostAnswerTest, postgres_fault_answers_lost_under_load) {
  AuditedLoad load(service().port());
  for (int round = 0; round < 20; ++round) {
    const int before = proxy_.cuts();
    proxy_.CutNext("write_entries", round % 2 == 0 ? Cut::kBehindTheCommit : Cut::kBeforeTheServer);
    ASSERT_TRUE(Eventually([&] { return proxy_.cuts() > before; }));
  }
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  load.Stop();
  EXPECT_GE(load.history().counts().unknown, 20u);
  ExpectRecovery();
  ExpectNothingLost(load.history());
}

}  // namespace
}  // namespace holdfast
