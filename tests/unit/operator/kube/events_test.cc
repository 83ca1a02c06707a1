#include "operator/kube/events.h"

#include "tests/unit/operator/kube/memory_client.h"
#include "tests/waiting/eventually.h"

namespace holdfast::kube {
namespace {

Json About(const std::string& name) {
  return {{"apiVersion", "storage.holdfast.dev/v1"},
          {"kind", "StorageCluster"},
          {"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "uid-" + name}, {"resourceVersion", "3"}}}};
}

TEST(EventRecorder, WritesAndCounts) {
  const auto client = std::make_shared<MemoryClient>();
  const auto recorder = MakeEventRecorder(client, "holdfast-operator");
  for (int i = 0; i < 3; ++i) recorder->Record(About("main"), EventType::kWarning, "BackendFailed", "it failed");
  recorder->Record(About("main"), EventType::kNormal, "Ready", "it works");
  ASSERT_TRUE(Eventually([&] {
    const auto all = client->All();
    return all.size() == 2 && (all[0]["count"] == 3 || all[1]["count"] == 3);
  }));
  EXPECT_EQ(client->Calls("create"), 2);
}

TEST(EventRecorder, RecordNeverWaitsForTheServer) {
  const auto client = std::make_shared<MemoryClient>();
  std::atomic<bool> open{false};
  client->SetBefore([&](const std::string&, const ObjectKey&) -> Status {
    while (!open) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return {};
  });
  const auto recorder = MakeEventRecorder(client, "c");
  // More than the queue takes; the server answers nothing meanwhile, so this only ends because it does not wait.
  for (int i = 0; i < 5000; ++i) {
    recorder->Record(About("o" + std::to_string(i)), EventType::kNormal, "R", "m");
  }
  open = true;
  ASSERT_TRUE(Eventually([&] { return client->All().size() >= 1000; }));
  EXPECT_LE(client->All().size(), 1001u);  // the queue, and the one that was being written
}

TEST(EventRecorder, APassingFailureIsTriedAgain) {
  const auto client = std::make_shared<MemoryClient>();
  std::atomic<int> failures{1};
  client->SetBefore([&](const std::string&, const ObjectKey&) -> Status {
    if (failures-- > 0) return Error(ErrorCode::kUnavailable, "away");
    return {};
  });
  const auto recorder = MakeEventRecorder(client, "c");
  recorder->Record(About("main"), EventType::kNormal, "R", "m");
  EXPECT_TRUE(Eventually([&] { return client->All().size() == 1; }));
}

TEST(EventRecorder, ALostAnswerMakesNoSecondEvent) {
  const auto client = std::make_shared<MemoryClient>();
  client->LoseNextAnswer();
  const auto recorder = MakeEventRecorder(client, "c");
  recorder->Record(About("main"), EventType::kNormal, "R", "m");
  recorder->Record(About("main"), EventType::kNormal, "Last", "m");
  ASSERT_TRUE(Eventually([&] { return client->All().size() == 2; }));
  EXPECT_EQ(client->Calls("create"), 3);
}

TEST(EventRecorder, AnExpiredEventIsMadeAgainWithItsCount) {
  const auto client = std::make_shared<MemoryClient>();
  const auto recorder = MakeEventRecorder(client, "c");
  recorder->Record(About("main"), EventType::kNormal, "R", "m");
  ASSERT_TRUE(Eventually([&] { return client->All().size() == 1; }));
  const ObjectKey key = KeyOf(client->All().front());
  ASSERT_TRUE(client->Delete(kinds::kEvent, key, {}, Deadline::Infinite()).ok());
  recorder->Record(About("main"), EventType::kNormal, "R", "m");
  ASSERT_TRUE(Eventually([&] { return client->Peek(key).is_object(); }));
  EXPECT_EQ(client->Peek(key)["count"], 2);
}

TEST(EventRecorder, ARefusedEventIsDroppedAndTheNextOneWritten) {
  const auto client = std::make_shared<MemoryClient>();
  client->SetBefore([](const std::string&, const ObjectKey& key) -> Status {
    if (key.name.starts_with("forbidden")) return Error(ErrorCode::kFailedPrecondition, "403");
    return {};
  });
  const auto recorder = MakeEventRecorder(client, "c");
  recorder->Record(About("forbidden"), EventType::kNormal, "R", "m");
  recorder->Record(About("main"), EventType::kNormal, "R", "m");
  ASSERT_TRUE(Eventually([&] { return client->All().size() == 1; }));
  EXPECT_EQ(client->Calls("create"), 2);
}

TEST(EventRecorder, TheDestructorLetsTheQueueDrain) {
  const auto client = std::make_shared<MemoryClient>();
  {
    const auto recorder = MakeEventRecorder(client, "c");
    for (int i = 0; i < 20; ++i) recorder->Record(About("o" + std::to_string(i)), EventType::kNormal, "R", "m");
  }
  EXPECT_EQ(client->All().size(), 20u);
}

TEST(EventRecorder, LongMessagesAreCutAtACharacter) {
  const auto client = std::make_shared<MemoryClient>();
  {
    const auto recorder = MakeEventRecorder(client, "c");
    std::string message(1023, 'x');
    for (int i = 0; i < 10; ++i) message += "\xc3\xa4";
    recorder->Record(About("main"), EventType::kNormal, "R", message);
  }
  ASSERT_EQ(client->All().size(), 1u);
  EXPECT_EQ(client->All().front()["message"], std::string(1023, 'x'));
}

TEST(EventRecorder, OddObjectsDoNoHarm) {
  const auto client = std::make_shared<MemoryClient>();
  {
    const auto recorder = MakeEventRecorder(client, "c");
    recorder->Record(Json(), EventType::kNormal, "R", "m");
    recorder->Record(Json::array({1}), EventType::kNormal, "R", "m");
  }
  SUCCEED();
}

}  // namespace
}  // namespace holdfast::kube
