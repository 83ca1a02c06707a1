// A store moves from RocksDB in its pod to Redis, by a StorageMigration and nothing but the operator, while clients
// write without pause: nothing acknowledged is lost, and a move that is taken back first loses nothing either.
#include <iostream>

#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// The machine may be busy.
constexpr std::chrono::seconds kPatience{240};
constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
constexpr char kMigrations[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storagemigrations";

class LocalStoreMigrationTest : public LocalCommandTest {
 protected:
  std::string PathOf(const std::string& name) const { return std::string(kMigrations).append("/").append(name); }
  json ConditionOf(const std::string& path, const std::string& type) const {
    const json object = Kubernetes(path);
    if (!object.is_object()) return json::object();
    for (const json& each : object.value("/status/conditions"_json_pointer, json::array())) {
      if (each.at("type") == type) return each;
    }
    return json::object();
  }
  bool Is(const std::string& path, const std::string& type, const std::string& reason) const {
    const json condition = ConditionOf(path, type);
    return condition.value("status", "") == "True" && condition.value("reason", "") == reason;
  }
  void Migrate(const std::string& name, const std::string& cut_over) const {
    const json migration = {{"apiVersion", "storage.holdfast.dev/v1"},
                            {"kind", "StorageMigration"},
                            {"metadata", {{"name", name}}},
                            {"spec", {{"cluster", "demo"}, {"store", "main"}, {"to", "cache"}, {"cutOver", cut_over}}}};
    const auto made = Ask(Event("api")["server"], "POST", kMigrations, migration.dump());
    ASSERT_EQ(made.status, 201) << made.body;
  }
  bool WaitsForApproval(const std::string& name) const {
    return ConditionOf(PathOf(name), "Progressing").value("reason", "") == "WaitingForApproval";
  }
  static bool Acknowledges(AuditedLoad& load, std::uint64_t more) {
    const std::uint64_t goal = load.history().counts().acknowledged + more;
    return Eventually([&] { return load.history().counts().acknowledged >= goal; }, kPatience);
  }
  bool Everything(WriteHistory::Entries* found) const {
    found->clear();
    std::string cursor;
    for (bool complete = false; !complete;) {
      const auto answer =
          Ask(Event("running")["url"], "GET", "/v1/stores/main/keys?values=true&limit=10000&cursor=" + cursor);
      if (answer.status != 200) return false;
      const json page = json::parse(answer.body);
      for (const json& item : page.at("items")) (*found)[item.at("key")] = item.at("value");
      cursor = page.at("cursor");
      complete = page.at("complete");
    }
    return true;
  }
  std::string Configuration() const {
    const json map = Kubernetes("/api/v1/namespaces/default/configmaps/demo-config");
    return map.is_object() ? map.value("/data/holdfast.yaml"_json_pointer, "") : "";
  }
  std::string WhatIsWrong() const {
    std::string text = Kubernetes(kMigrations).dump(2) + Kubernetes(kClusters).dump(2) + FileText(output());
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) {
      const std::string all = FileText(log.path());
      text += "\n== " + log.path().filename().string() + "\n" +
              all.substr(all.size() - std::min<std::size_t>(all.size(), 2000));
    }
    return text;
  }
};

TEST_F(LocalStoreMigrationTest, dualwrite_redis_AStoreMovesUnderWritesAndStaysThere) {
  http::HttpClient::SetThreads(16);
  Start(ManifestOf("  backends: [{name: disk, embedded: {storage: {size: 1Gi}}},\n"
                   "    {name: cache, redis: {storage: {size: 1Gi}, maxMemory: 64Mi, persistence: {fsync: always}}}]\n"
                   "  stores: [{name: main, backend: disk}]\n"),
        {"--ready-timeout", "200"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  AuditedLoad load(Event("running")["url"].get<std::string>(), std::chrono::seconds(30));
  ASSERT_TRUE(Acknowledges(load, 50));

  // Taken back, with reads switched.
  Migrate("first", "Manual");
  ASSERT_TRUE(Eventually([&] { return WaitsForApproval("first"); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  Patch(PathOf("first"), {{"spec", {{"abort", true}}}});
  ASSERT_TRUE(Eventually([&] { return Is(PathOf("first"), "Failed", "AbortRequested"); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();

  Migrate("second", "Manual");
  ASSERT_TRUE(Eventually([&] { return WaitsForApproval("second"); }, kPatience)) << WhatIsWrong();
  const json progress = Kubernetes(PathOf("second")).at("status");
  EXPECT_GT(progress.value("copied", 0), 0) << progress;
  EXPECT_GT(progress.value("compared", 0), 0) << progress;
  Patch(PathOf("second"), {{"spec", {{"cutOver", "Approved"}}}});
  ASSERT_TRUE(Eventually([&] { return Is(PathOf("second"), "Complete", "CutOver"); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  // The configuration follows, and says what to write into the spec.
  ASSERT_TRUE(Eventually([&] { return Configuration().find("migrate_to") == std::string::npos; }, kPatience))
      << WhatIsWrong();
  EXPECT_THAT(Configuration(), HasSubstr("backend: cache"));
  const std::string cluster = std::string(kClusters) + "/demo";
  EXPECT_TRUE(Eventually([&] { return ConditionOf(cluster, "StoresAsSpecified").value("reason", "") == "StoreMoved"; },
                         kPatience));
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();

  // Nothing brings it back.
  Ask(Event("api")["server"], "DELETE", PathOf("second"));
  ASSERT_TRUE(
      Eventually([&] { return Ask(Event("api")["server"], "GET", PathOf("second")).status == 404; }, kPatience));
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  EXPECT_THAT(Configuration(), HasSubstr("backend: cache"));
  load.Stop();

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }, kPatience)) << WhatIsWrong();
  EXPECT_EQ(load.history().Lost(found), 0u);
  std::vector<std::string> complaints = load.history().Complaints(found);
  // The only pod is made anew four times, and takes connections along with requests under way: nobody knows of those.
  std::erase_if(complaints, [](const std::string& each) { return each.find("no answer: ") != std::string::npos; });
  EXPECT_THAT(complaints, IsEmpty());
  const auto counts = load.history().counts();
  std::cout << load.history().Lost(found) << " of " << counts.acknowledged << " acknowledged writes lost; "
            << counts.refused << " refused, " << counts.unknown << " unknown\n";

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
