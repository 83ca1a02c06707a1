// What a collector is told of requests and of what they ask of backends.
#include <fmt/format.h>

#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "base/http/http_listener.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"

namespace holdfast {
namespace {

using Json = nlohmann::json;

const std::string kKey = "/v1/stores/main/keys/";
constexpr char kParent[] = "b7ad6b7169203331";

// A collector that keeps the spans it is sent. Thread-safe.
class Collector {
 public:
  Collector() {
    auto listener = http::HttpListener::Start({}, [this](const auto& request, auto& response) {
      const Json sent = Json::parse(request.body);
      {
        const std::lock_guard lock(mutex_);
        const Json& spans = sent.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
        spans_.insert(spans_.end(), spans.begin(), spans.end());
      }
      response.Send(200, {}, "{}");
    });
    listener_ = std::move(listener).value();
  }
  std::string settings() const {
    return fmt::format(
        "tracing: {{endpoint: \"http://127.0.0.1:{}\", sample_percent: 0, timeout: 60s}}\n"
        "timeouts: {{default: 60s}}\n",
        listener_->port());
  }
  std::vector<Json> OfTrace(const std::string& trace_id) const {
    const std::lock_guard lock(mutex_);
    std::vector<Json> some = spans_;
    std::erase_if(some, [&](const Json& span) { return span.at("traceId") != trace_id; });
    return some;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return spans_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Json> spans_;  // guarded by mutex_
  std::unique_ptr<http::HttpListener> listener_;
};

// Empty when it has none.
std::string AttributeOf(const Json& span, const std::string& name) {
  for (const Json& attribute : span.at("attributes")) {
    if (attribute.at("key") == name) return attribute.at("value").begin()->get<std::string>();
  }
  return "";
}

std::string TraceId(int number) {
  return fmt::format("{:032x}", number);
}
http::Headers Traced(int number) {
  return {{"traceparent", fmt::format("00-{}-{}-01", TraceId(number), kParent)}};
}

class TracingTest : public testing::Test {
 protected:
  // What waits for the collector is sent before the service ends.
  static void End(Service& service) {
    service.process().Signal(SIGTERM);
    ASSERT_EQ(service.process().Wait(), 0);
  }
  // The names of a trace's calls; all of them are below its request, which is below the caller's span.
  std::multiset<std::string> Calls(int number) const {
    std::multiset<std::string> calls;
    std::string request;
    const std::vector<Json> spans = collector_.OfTrace(TraceId(number));
    for (const Json& span : spans) {
      if (span.at("kind") != 2) continue;
      EXPECT_TRUE(request.empty()) << "one span for the request";
      EXPECT_EQ(span.at("parentSpanId"), kParent);
      request = span.at("spanId");
    }
    for (const Json& span : spans) {
      if (span.at("kind") == 2) continue;
      EXPECT_EQ(span.at("kind"), 3);
      EXPECT_EQ(span.at("parentSpanId"), request);
      calls.insert(span.at("name"));
    }
    return calls;
  }

  const Collector collector_;
  const TemporaryFolder folder_;
};

TEST_F(TracingTest, tiered_memory_rocksdb_shows_every_backend_that_a_request_asks) {
  using Names = std::multiset<std::string>;
  Service service(folder_, "rocksdb}, hot: {type: memory, max_bytes: 4Mi, eviction: lru",
                  "stores: {main: {backend: local, cache: hot, cache_timeout: 60s}}\n" + collector_.settings());
  EXPECT_EQ(service.Send("PUT", kKey + "a", Traced(1), "v").status, 201);
  EXPECT_EQ(service.Send("GET", kKey + "a", Traced(2)).status, 200);
  EXPECT_EQ(service.Send("GET", kKey + "absent", Traced(3)).status, 404);
  http::Headers refused = Traced(4);
  refused["If-Match"] = "\"999999999\"";
  EXPECT_EQ(service.Send("PUT", kKey + "a", refused, "v").status, 412);
  EXPECT_EQ(service.Send("PUT", kKey + "b", {}, "v").status, 201) << "not sampled";
  End(service);
  EXPECT_EQ(Calls(1).count("put local"), 1u);
  EXPECT_EQ(Calls(2), Names{"get hot"}) << "a copy answered it";
  EXPECT_EQ(Calls(3).count("get local"), 1u);
  EXPECT_EQ(Calls(3).count("get hot"), 1u);
  const std::vector<Json> of_refused = collector_.OfTrace(TraceId(4));
  const auto put = std::find_if(of_refused.begin(), of_refused.end(),
                                [](const Json& span) { return span.at("name") == "put local"; });
  ASSERT_NE(put, of_refused.end());
  EXPECT_EQ(AttributeOf(*put, "holdfast.result"), "version_conflict");
  EXPECT_FALSE(put->contains("status"));
  EXPECT_EQ(AttributeOf(*put, "db.system.name"), "rocksdb");
  EXPECT_EQ(AttributeOf(*put, "holdfast.store"), "main");
  std::size_t traced = 0;
  for (const int number : {1, 2, 3, 4}) traced += collector_.OfTrace(TraceId(number)).size();
  EXPECT_EQ(collector_.count(), traced) << "of the request that was not sampled there is nothing";
}

TEST_F(TracingTest, postgres_batches_are_in_the_trace_of_every_request) {
  constexpr int kRequests = 40;
  constexpr int kClients = 4;
  const postgres_servers::FreshDatabase database;
  MigrateUp(database.Url());
  Service service(folder_, fmt::format("postgres, url: \"{}\", pool_max: 2, retry_attempts: 2", database.Url()),
                  collector_.settings());
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&service, client] {
      http::ClientOptions options;
      options.base_url = service.url();
      http::HttpClient own(options);
      for (int number = client + 1; number <= kRequests; number += kClients) {
        http::ClientRequest put;
        put.method = "PUT";
        put.target = kKey + std::to_string(number);
        put.headers = Traced(number);
        put.body = "v";
        const auto answer = own.Send(put, Deadline::After(std::chrono::seconds{60}));
        EXPECT_TRUE(answer.ok() && answer->status == 201);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  End(service);
  for (int number = 1; number <= kRequests; ++number) {
    const std::multiset<std::string> calls = Calls(number);
    ASSERT_EQ(calls.size(), 1u) << number;
    EXPECT_TRUE(*calls.begin() == "put local" || *calls.begin() == "BATCH put local") << *calls.begin();
    for (const Json& span : collector_.OfTrace(TraceId(number))) {
      if (span.at("kind") == 2) continue;
      EXPECT_EQ(AttributeOf(span, "db.system.name"), "postgresql");
      EXPECT_EQ(AttributeOf(span, "holdfast.attempt"), "1");
      EXPECT_EQ(AttributeOf(span, "holdfast.result"), "ok");
    }
  }
}

}  // namespace
}  // namespace holdfast
