// Several instances over one Redis.
#include <fmt/format.h>

#include <thread>

#include "tests/integration/redis/redis_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using RedisInstances = RedisServiceTest;

bool AwaitMetric(Service& service, const std::string& line) {
  return Eventually([&] { return service.Admin("/metrics").body.find(line) != std::string::npos; });
}

TEST_F(RedisInstances, redis_instances_hear_of_each_others_changes) {
  Service first = Start(first_folder_);
  EXPECT_EQ(Put(first, "a", "1").status, 201);
  Service second = Start(second_folder_);
  EXPECT_EQ(second.Send("GET", KeyPath("a")).body, "1");
  for (Service* writer : {&first, &second}) {
    Service& watcher = writer == &first ? second : first;
    std::string told;
    std::thread watch([&] { told = watcher.Send("GET", "/v1/stores/main/watch?prefix=w&wait=20s").body; });
    EXPECT_TRUE(AwaitMetric(watcher, "holdfast_watch_subscribers{store=\"main\"} 1"));
    EXPECT_EQ(CodeOf(Put(*writer, "w", "seen")), "ok");
    watch.join();
    EXPECT_NE(told.find("\"w\""), std::string::npos) << told;
    EXPECT_TRUE(AwaitMetric(watcher, "holdfast_watch_subscribers{store=\"main\"} 0"));
  }
}

TEST_F(RedisInstances, redis_a_lock_released_at_one_instance_is_granted_at_another) {
  Service first = Start(first_folder_);
  Service second = Start(second_folder_);
  const std::string lock = "/v1/stores/main/locks/a";
  const std::string lease = first.Json("POST", lock, R"({"owner":"one","ttl":"1h"})").at("lease");
  http::ClientResponse granted;
  std::thread waiter([&] { granted = second.Send("POST", lock, {}, R"({"owner":"two","ttl":"1h","wait":"20s"})"); });
  EXPECT_TRUE(AwaitMetric(second, "holdfast_locks_waiting{store=\"main\"} 1"));
  EXPECT_EQ(first.Send("DELETE", lock + "?lease=" + lease).status, 204);
  waiter.join();
  EXPECT_EQ(granted.status, 201) << granted.body;
}

// What one has lost in the meantime is said, not passed over.
TEST_F(RedisInstances, redis_a_watcher_is_told_when_the_data_was_thrown_away) {
  Service service = Start(first_folder_);
  EXPECT_EQ(Put(service, "a", "1").status, 201);
  http::ClientResponse told;
  std::thread watch([&] { told = service.Send("GET", "/v1/stores/main/watch?prefix=a&wait=20s"); });
  EXPECT_TRUE(AwaitMetric(service, "holdfast_watch_subscribers{store=\"main\"} 1"));
  const std::string before = service.Send("GET", KeyPath("a")).headers.at("etag");
  EXPECT_TRUE(server().Cli({"FLUSHALL"}).ok());
  watch.join();
  EXPECT_NE(told.body.find("compacted"), std::string::npos) << told.status << " " << told.body;
  http::ClientResponse again;
  EXPECT_TRUE(Eventually([&] {
    again = Put(service, "a", "2");
    return CodeOf(again) == "ok";
  }));
  // Versions go on rising over data that is gone.
  const auto number = [](const std::string& tag) { return std::stoull(tag.substr(1)); };
  EXPECT_GT(number(again.headers.at("etag")), number(before));
}

}  // namespace
}  // namespace holdfast
