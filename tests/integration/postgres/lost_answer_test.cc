// The connection is lost while a write is between the client and its answer: nobody knows, so that is what is said, and
// the write is not tried again behind the client's back.
#include <fmt/format.h>

#include "tests/integration/postgres/cutting_proxy.h"
#include "tests/integration/postgres/fault_bench.h"

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
  http::ClientResponse Post(const std::string& target, const std::string& body) {
    return service().Send("POST", "/v1/stores/main" + target, {{"Content-Type", "application/json"}}, body);
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
