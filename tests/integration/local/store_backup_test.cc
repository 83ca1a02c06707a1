// A store is backed up, drilled and restored in place, to a time too, by a StorageBackup and by StorageRestores, by
// nothing but the operator and a real service; and a StorageRestore of what there is not changes nothing. A schedule
// makes such a StorageBackup of its tick.
#include "base/time/clock.h"
#include "base/time/duration.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

// The machine may be busy.
constexpr std::chrono::seconds kPatience{120};
// A minute until the next tick, and some more where one is skipped.
constexpr std::chrono::seconds kTicks{240};
constexpr char kGroup[] = "/apis/storage.holdfast.dev/v1/namespaces/default/";
constexpr char kEntry[] = "/v1/stores/main/keys/motto";

class LocalStoreBackupTest : public LocalCommandTest {
 protected:
  // Until the store main is served, on a disk; with a claim `backups`. `more`: fields of the store.
  void StartWithBackups(const std::string& backups, const std::string& more = "") {
    Start(ManifestOf("  backends: [{name: disk, embedded: {storage: {size: 1Gi}}}]\n"
                     "  stores: [{name: main, backend: disk" +
                     more + "}]\n  backups: " + backups + "\n"),
          {"--ready-timeout", "110"});
    ASSERT_TRUE(Eventually([&] { return !Event("api").is_null() || program_->Poll(); }, kPatience))
        << FileText(output());
    Make("/api/v1/namespaces/default/persistentvolumeclaims",
         {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", "backups"}}},
          {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}});
    ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
    ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  }
  void Make(const std::string& path, const json& object) const {
    const auto made = Ask(Event("api")["server"], "POST", path, object.dump());
    ASSERT_EQ(made.status, 201) << made.body;
  }
  void MakeRun(const char* kind, const std::string& plural, const std::string& name, json more) const {
    json spec = {{"cluster", "demo"}, {"store", "main"}};
    spec.update(more);
    Make(kGroup + plural,
         {{"apiVersion", "storage.holdfast.dev/v1"}, {"kind", kind}, {"metadata", {{"name", name}}}, {"spec", spec}});
  }
  json StatusOf(const std::string& plural, const std::string& name) const {
    const json object = Kubernetes(kGroup + plural + "/" + name);
    return object.is_object() ? object.value("status", json::object()) : json::object();
  }
  bool IsOver(const std::string& plural, const std::string& name) const {
    const std::string phase = StatusOf(plural, name).value("phase", "");
    return phase == "Succeeded" || phase == "Failed";
  }
  void Put(const std::string& value) const {
    const int status = Ask(Event("running")["url"], "PUT", kEntry, value).status;
    ASSERT_TRUE(status == 200 || status == 201 || status == 204) << status;
  }
  // As the operator has ended it.
  json Restored(const std::string& name, const json& from) const {
    MakeRun("StorageRestore", "storagerestores", name, from);
    EXPECT_TRUE(Eventually([&] { return IsOver("storagerestores", name); }, kPatience)) << FileText(output());
    return StatusOf("storagerestores", name);
  }
  static std::string FailureOf(const json& status) {
    for (const json& condition : status.value("conditions", json::array())) {
      if (condition.at("type") == "Failed" && condition.at("status") == "True") return condition.at("reason");
    }
    return "";
  }
  json Backups() const { return json::parse(Ask(Event("running")["url"], "GET", "/v1/stores/main/backups").body); }
  std::string Value() const { return Ask(Event("running")["url"], "GET", kEntry).body; }
};

TEST_F(LocalStoreBackupTest, AStoreIsBackedUpAndRestored) {
  StartWithBackups("{claimName: backups, changeArchive: {interval: 1s}}", ", changeArchive: true");
  Put("before");
  const Timestamp early = SystemClock().Now();

  MakeRun("StorageBackup", "storagebackups", "first", {{"drill", true}});
  ASSERT_TRUE(Eventually([&] { return IsOver("storagebackups", "first"); }, kPatience)) << FileText(output());
  const json backup = StatusOf("storagebackups", "first");
  ASSERT_EQ(backup.value("phase", ""), "Succeeded") << backup;
  EXPECT_EQ(backup.value("kind", ""), "Full") << backup;
  EXPECT_GE(backup.value("entries", 0), 1) << backup;
  EXPECT_GT(backup.value("bytes", 0), 0) << backup;
  EXPECT_TRUE(backup.contains("verifiedAt")) << backup;
  EXPECT_TRUE(backup.contains("drilledAt")) << backup;
  const json listed = Backups();
  ASSERT_EQ(listed.at("items").size(), 1u) << listed;
  EXPECT_EQ(listed.at("items").at(0).at("id"), backup.at("id"));

  Put("between");
  const Timestamp between = SystemClock().Now();
  Put("after");
  ASSERT_TRUE(Eventually([&] { return Backups().contains("restorable"); }, kPatience)) << Backups();
  EXPECT_EQ(FailureOf(Restored("nothing", {{"backupId", "there-is-none"}})), "NoBackup");
  for (const auto& [name, to] : {std::pair("too-early", early), {"too-late", between + std::chrono::hours{1}}}) {
    const json refused = Restored(name, {{"toTime", FormatTimestamp(to)}});
    EXPECT_EQ(FailureOf(refused), "OutsideWindow") << refused;
    EXPECT_NE(refused.value("message", "").find("there is every time from "), std::string::npos) << refused;
  }
  EXPECT_EQ(Value(), "after");

  const json in_time = Restored("in-time", {{"toTime", FormatTimestamp(between)}});
  ASSERT_EQ(in_time.value("phase", ""), "Succeeded") << in_time;
  EXPECT_EQ(in_time.at("id"), backup.at("id"));
  EXPECT_EQ(Value(), "between");

  const json restore = Restored("back", {{"backup", "first"}});
  ASSERT_EQ(restore.value("phase", ""), "Succeeded") << restore;
  EXPECT_EQ(Value(), "before");
  EXPECT_NE(restore.value("undo", ""), "") << restore;
}

// A new cluster takes over a store under another name, from the claim that the former one's backups lie on.
TEST_F(LocalStoreBackupTest, ANewClusterRestoresWhatAnotherHasBackedUp) {
  StartWithBackups("{claimName: backups, changeArchive: {interval: 1s}}", ", changeArchive: true");
  Put("before");
  MakeRun("StorageBackup", "storagebackups", "first", json::object());
  ASSERT_TRUE(Eventually([&] { return IsOver("storagebackups", "first"); }, kPatience)) << FileText(output());
  Put("between");
  const Timestamp between = SystemClock().Now();
  Put("after");
  ASSERT_TRUE(Eventually(
      [&] { return Backups().value("/restorable/latest"_json_pointer, "") > FormatTimestamp(between); }, kPatience))
      << Backups();

  Make(kGroup + std::string("storageclusters"),
       {{"apiVersion", "storage.holdfast.dev/v1"},
        {"kind", "StorageCluster"},
        {"metadata", {{"name", "second"}}},
        {"spec",
         {{"backends", {{{"name", "disk"}, {"embedded", {{"storage", {{"size", "1Gi"}}}}}}}},
          {"stores", {{{"name", "copy"}, {"backend", "disk"}}}},
          {"backups", {{"source", {{"claimName", "backups"}}}}}}}});
  const json from = {{"cluster", "second"}, {"store", "copy"}, {"sourceStore", "main"}};
  const auto restored = [&](const std::string& name, const json& more) {
    json spec = from;
    spec.update(more);
    return Restored(name, spec);
  };
  const auto value = [&] {
    const json service = Kubernetes("/api/v1/namespaces/default/services/second");
    const std::string address = service.value("/spec/clusterIP"_json_pointer, "");
    return Ask("http://" + address + ":8080", "GET", "/v1/stores/copy/keys/motto").body;
  };
  const json back = restored("back", {{"backup", "first"}});
  ASSERT_EQ(back.value("phase", ""), "Succeeded") << back;
  EXPECT_NE(back.value("undo", ""), "") << back;
  EXPECT_EQ(value(), "before");
  const json in_time = restored("in-time", {{"toTime", FormatTimestamp(between)}});
  ASSERT_EQ(in_time.value("phase", ""), "Succeeded") << in_time;
  EXPECT_EQ(value(), "between");
  EXPECT_EQ(FailureOf(restored("nothing", {{"backupId", "there-is-none"}})), "NoBackup");
  EXPECT_EQ(FailureOf(restored("nowhere", {{"backup", "first"}, {"sourceStore", "other"}})), "NoBackup");
  // The former one goes on, and nobody has changed what it has made.
  EXPECT_EQ(Value(), "after");
  EXPECT_EQ(Backups().at("items").size(), 1u);
}

TEST_F(LocalStoreBackupTest, AScheduleHasItBackedUpAtItsTick) {
  StartWithBackups(
      "{claimName: backups, schedules: [{name: often, store: main, schedule: '* * * * *', drill: true,"
      " successfulHistoryLimit: 1}]}");
  Put("kept");
  const auto schedule = [&] {
    return StatusOf("storageclusters", "demo").value("/backupSchedules/0"_json_pointer, json::object());
  };
  // The second tick's pushes the first one's out.
  ASSERT_TRUE(Eventually([&] { return schedule().contains("lastSuccessfulTime"); }, kTicks)) << FileText(output());
  const std::string first = schedule().at("lastScheduleTime").get<std::string>();
  ASSERT_TRUE(Eventually(
      [&] {
        const json now = schedule();
        return now.value("lastScheduleTime", "") > first && !now.contains("active") &&
               now.value("reason", "") == "BackedUp";
      },
      kTicks))
      << schedule() << FileText(output());
  json made;
  ASSERT_TRUE(Eventually(
      [&] {
        made = Kubernetes(kGroup + std::string("storagebackups")).value("items", json::array());
        return made.size() == 1 && made.at(0).at("status").value("phase", "") == "Succeeded";
      },
      kTicks))
      << made;
  EXPECT_TRUE(made.at(0).at("status").contains("drilledAt")) << made;
  // What the object was about is still where backups are.
  const json listed = json::parse(Ask(Event("running")["url"], "GET", "/v1/stores/main/backups").body);
  EXPECT_GE(listed.at("items").size(), 2u) << listed;
}

}  // namespace
}  // namespace holdfast::local
