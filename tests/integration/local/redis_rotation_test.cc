// New passwords for Redis with sentinels, with everything real, while clients write through the service: nobody is
// refused and no server is restarted; a failover behind it finds everybody with the new ones.
#include <set>

#include "tests/integration/local/local_sentinel_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kCredentials[] = "/api/v1/namespaces/default/secrets/demo-local-credentials";
constexpr const char* kPasswords[] = {"application-password", "replication-password", "sentinel-password",
                                      "keeper-password"};

class LocalRedisRotationTest : public LocalSentinelTest {
 protected:
  std::string Rotated() const {
    const json metadata = Object(kCredentials).at("metadata");
    return metadata.value("annotations", json::object()).value("storage.holdfast.dev/rotated", "");
  }
  // Whether a server, or a sentinel, lets the user in by that password.
  bool LetsIn(const std::string& pod, int port, const std::string& user, const std::string& password) const {
    return AskWith(password, pod, port, user, "ping") == "PONG\n";
  }
  // Of servers and sentinels.
  std::set<std::string> Containers() const {
    std::set<std::string> ids;
    for (const std::string set : {"demo-local-", "demo-local-sentinel-"}) {
      for (const char* ordinal : {"0", "1", "2"}) {
        ids.insert(Pod(set + ordinal).value("/status/containerStatuses/0/containerID"_json_pointer, ""));
      }
    }
    return ids;
  }
};

TEST_F(LocalRedisRotationTest, redis_sentinel_PasswordsAreRotatedUnderLoad) {
  StartInStep();
  if (HasFatalFailure()) return;
  const std::string master = Master();
  const std::set<std::string> containers = Containers();
  std::map<std::string, std::string> former;
  for (const char* file : kPasswords) former[file] = File(file);
  AuditedLoad load(Event("running")["url"], std::chrono::seconds(10));
  ASSERT_TRUE(Acknowledges(load, 50));

  ASSERT_NO_FATAL_FAILURE(Patch({{"metadata", {{"annotations", {{"storage.holdfast.dev/rotate-passwords", "1"}}}}}}));
  ASSERT_TRUE(Eventually([&] { return Rotated() == "1"; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  const auto counts = load.history().counts();
  EXPECT_EQ(counts.refused, 0u) << testing::PrintToString(load.history().troubles());
  EXPECT_EQ(counts.unknown, 0u) << testing::PrintToString(load.history().troubles());
  EXPECT_EQ(Containers(), containers) << "a server or a sentinel was restarted";
  EXPECT_EQ(Master(), master) << "a failover was provoked";
  for (const char* file : kPasswords) EXPECT_NE(File(file), former[file]) << file;
  for (const char* user : {"replicator", "sentinel", "keeper"}) {
    const std::string file =
        user == std::string("replicator") ? "replication-password" : user + std::string("-password");
    EXPECT_FALSE(LetsIn("demo-local-1", 6379, user, former[file])) << user;
    EXPECT_TRUE(LetsIn("demo-local-1", 6379, user, File(file))) << user;
  }
  for (const char* user : {"sentinel", "keeper"}) {
    const std::string file = user + std::string("-password");
    EXPECT_FALSE(LetsIn("demo-local-sentinel-2", 26379, user, former[file])) << user;
    EXPECT_TRUE(LetsIn("demo-local-sentinel-2", 26379, user, File(file))) << user;
  }

  // Connections are made anew everywhere: the sentinels agree, a replica takes over, and the others copy from it.
  Delete(PathOf(master));
  ASSERT_TRUE(Eventually([&] { return !Master().empty() && Master() != master; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return AllInStep(); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  load.Stop();
  const std::string told = Told();
  for (const char* file : kPasswords) {
    EXPECT_THAT(told, Not(HasSubstr(File(file)))) << file;
    EXPECT_THAT(told, Not(HasSubstr(former[file]))) << file;
  }
  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  EXPECT_THAT(load.history().Complaints(found), IsEmpty());

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
