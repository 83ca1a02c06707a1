// The load on a server of our own whose answers are known.
#include "service/bench/load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/metrics/metrics.h"
#include "service/bench/report.h"
#include "service/http/http_server.h"

namespace holdfast::bench {
namespace {

using std::chrono::milliseconds;

class KeyHandler final : public api::Handler {
 public:
  void Handle(api::Request& request, api::Responder responder) override {
    const bool put = request.method == api::Method::kPut;
    {
      const std::lock_guard lock(mutex_);
      (put ? puts_ : gets_).insert(std::string(request.path));
      const std::string_view* const authorization = request.Find("Authorization");
      if (authorization != nullptr) authorization_ = *authorization;
    }
    if (!put && gets_seen_++ == 0) std::this_thread::sleep_for(stall_);
    api::Response response;
    response.status = put ? put_status_ : 200;
    if (!put) response.body = std::string(100, 'x');
    responder.Send(std::move(response));
  }
  std::size_t MaxBodyBytes(const api::Request&) const override { return 1u << 20; }
  api::Response Refuse(int status, std::string_view, std::string_view) const override {
    api::Response response;
    response.status = status;
    return response;
  }

  std::mutex mutex_;
  std::set<std::string> gets_;
  std::set<std::string> puts_;
  std::string authorization_;
  std::atomic<int> gets_seen_{0};
  milliseconds stall_{0};
  int put_status_ = 201;
};

class LoadTest : public testing::Test {
 protected:
  LoadPlan Serve() {
    api::ServerOptions options;
    options.port = 0;
    options.threads = 1;
    auto server = api::HttpServer::Start(options, handler_, registry_);
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
    LoadPlan plan;
    plan.host = "127.0.0.1";
    plan.port = std::to_string(server_->port());
    plan.store = "main";
    plan.keys = 50;
    plan.connections = 4;
    plan.duration = milliseconds{200};
    plan.timeout = std::chrono::seconds{30};
    return plan;
  }
  static LoadResult Must(const LoadPlan& plan) {
    auto result = RunLoad(plan);
    if (result.ok()) return std::move(*result);
    ADD_FAILURE() << result.error().ToString();
    return {};
  }

  std::shared_ptr<KeyHandler> handler_ = std::make_shared<KeyHandler>();
  metrics::Registry registry_;
  std::unique_ptr<api::HttpServer> server_;
};

TEST_F(LoadTest, FillsEveryKeyAndThenReads) {
  LoadPlan plan = Serve();
  plan.headers = "Authorization: Bearer t\r\n";
  const LoadResult result = Must(plan);
  EXPECT_EQ(handler_->puts_.size(), 50u);
  EXPECT_TRUE(handler_->puts_.contains("/v1/stores/main/keys/bench/49"));
  EXPECT_EQ(handler_->authorization_, "Bearer t");
  EXPECT_GT(result.gets.count(), 0u);
  EXPECT_EQ(result.puts.count(), 0u);
  EXPECT_TRUE(result.errors.empty());
  EXPECT_LE(handler_->gets_.size(), 50u);
}

TEST_F(LoadTest, MixesReadsAndWrites) {
  LoadPlan plan = Serve();
  plan.fill = false;
  plan.reads = 0.5;
  const LoadResult result = Must(plan);
  EXPECT_GT(result.gets.count(), 0u);
  EXPECT_GT(result.puts.count(), 0u);
}

TEST_F(LoadTest, AnOpenLoopSendsWhatIsDueAndNoMore) {
  LoadPlan plan = Serve();
  plan.rate = 500;
  plan.duration = milliseconds{400};
  const LoadResult result = Must(plan);
  EXPECT_EQ(result.answered(), 200u);
  EXPECT_EQ(result.unanswered, 0u);
}

// The server stands still for 300 ms while 150 requests become due on one connection: all of them waited, not one.
TEST_F(LoadTest, AStallIsChargedToEveryRequestThatWasDue) {
  LoadPlan plan = Serve();
  handler_->stall_ = milliseconds{300};
  plan.connections = 1;
  plan.rate = 500;
  plan.duration = milliseconds{400};
  const LoadResult result = Must(plan);
  EXPECT_EQ(result.answered(), 200u);
  EXPECT_GE(result.gets.max(), milliseconds{300});
  // Half of those due in the stall waited for more than half of it.
  EXPECT_GE(result.gets.Percentile(0.7), milliseconds{100});
}

TEST_F(LoadTest, WarmupIsNotMeasured) {
  LoadPlan plan = Serve();
  handler_->stall_ = milliseconds{100};
  plan.connections = 1;
  plan.rate = 100;
  plan.warmup = milliseconds{200};
  plan.duration = milliseconds{100};
  EXPECT_EQ(Must(plan).answered(), 10u);
}

TEST_F(LoadTest, WrongAnswersAreErrorsAndInNoPercentile) {
  LoadPlan plan = Serve();
  handler_->put_status_ = 503;
  plan.fill = false;
  plan.reads = 0;
  const LoadResult result = Must(plan);
  EXPECT_EQ(result.answered(), 0u);
  EXPECT_GT(result.errors.at("503"), 0u);
  EXPECT_NE(ReportText(plan, result).find("failed with 503"), std::string::npos);
}

TEST_F(LoadTest, ARefusedFillIsToldBeforeAnyLoad) {
  LoadPlan plan = Serve();
  handler_->put_status_ = 403;
  const auto result = RunLoad(plan);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().message().find("403"), std::string::npos);
  EXPECT_TRUE(handler_->gets_.empty());
}

TEST_F(LoadTest, ConnectionsThatCloseAreErrors) {
  LoadPlan plan = Serve();
  handler_->stall_ = std::chrono::seconds{1};
  plan.fill = false;
  plan.connections = 1;
  plan.timeout = milliseconds{100};
  const LoadResult result = Must(plan);
  EXPECT_GE(result.errors.at("timeout"), 1u);
}

TEST_F(LoadTest, NobodyListens) {
  LoadPlan plan = Serve();
  server_.reset();
  const auto result = RunLoad(plan);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
}

TEST_F(LoadTest, TheReportIsJson) {
  LoadPlan plan = Serve();
  plan.rate = 500;
  const LoadResult result = Must(plan);
  const auto json = nlohmann::json::parse(ReportJson(plan, result));
  EXPECT_EQ(json.at("all").at("requests"), 100);
  EXPECT_EQ(json.at("get").at("requests"), 100);
  EXPECT_EQ(json.at("put").at("requests"), 0);
  EXPECT_EQ(json.at("rate"), 500);
  EXPECT_TRUE(json.at("errors").empty());
  const auto& latency = json.at("all").at("latency_ms");
  EXPECT_LE(latency.at("p50"), latency.at("p90"));
  EXPECT_LE(latency.at("p99"), latency.at("p99.9"));
  EXPECT_LE(latency.at("p99.9"), latency.at("max"));
}

}  // namespace
}  // namespace holdfast::bench
