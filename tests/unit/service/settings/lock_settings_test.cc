// Where the locks of a store are kept, and which servers cannot keep them.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// The backend `data` and Redis servers r0, r1 ... as `urls` say, with a store on `data` whose locks are on `names`.
std::vector<std::string> Flags(const std::vector<std::string>& urls, const std::string& names) {
  std::vector<std::string> flags{"--backends.data.type=rocksdb", "--stores.main.backend=data",
                                 "--stores.main.lock_backends=" + names};
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const std::string backend = "--backends.r" + std::to_string(i);
    flags.push_back(backend + ".type=redis");
    flags.push_back(backend + ".durable=true");
    flags.push_back(backend + ".url=" + urls[i]);
  }
  return flags;
}

const std::vector<std::string> kThree{"redis://a", "redis://b", "redis://c"};

// The one complaint, which names the setting.
std::string Complaint(const std::vector<std::string>& flags) {
  std::vector<config::Problem> problems;
  Load(flags, &problems);
  if (problems.size() != 1) return std::to_string(problems.size()) + " problems";
  EXPECT_EQ(problems.front().where, "setting stores.main.lock_backends");
  return problems.front().message;
}

TEST(LockSettingsTest, LocksOnThreeServersAndTheirTimes) {
  std::vector<std::string> flags = Flags(kThree, "r0,r1,r2");
  flags.insert(flags.end(),
               {"--locks.quorum_timeout=50ms", "--locks.quorum_max_ttl=1m", "--locks.quorum_drift_percent=2",
                "--locks.quorum_drift=5ms", "--locks.quorum_retry_delay=20ms", "--stores.main.require_fencing=true"});
  std::vector<config::Problem> problems;
  const auto settings = Load(flags, &problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_EQ(settings->stores.front().lock_backends, (std::vector<std::string>{"r0", "r1", "r2"}));
  EXPECT_TRUE(settings->stores.front().require_fencing);
  EXPECT_EQ(settings->lock_quorum.master_timeout, std::chrono::milliseconds{50});
  EXPECT_EQ(settings->lock_quorum.max_ttl, std::chrono::minutes{1});
  EXPECT_EQ(settings->lock_quorum.drift_percent, 2);
  EXPECT_EQ(settings->lock_quorum.drift, std::chrono::milliseconds{5});
  EXPECT_EQ(settings->lock_quorum.retry_delay, std::chrono::milliseconds{20});
  EXPECT_TRUE(KeepsOnlyLocks(*settings, "r1"));
  EXPECT_FALSE(KeepsOnlyLocks(*settings, "data"));
}

TEST(LockSettingsTest, DefaultsAreThoseOfTheOptions) {
  std::vector<config::Problem> problems;
  const auto settings = Load({}, &problems);
  ASSERT_THAT(problems, IsEmpty());
  const coordination::QuorumOptions defaults;
  EXPECT_THAT(settings->stores.front().lock_backends, IsEmpty());
  EXPECT_FALSE(settings->stores.front().require_fencing);
  EXPECT_EQ(settings->lock_quorum.master_timeout, defaults.master_timeout);
  EXPECT_EQ(settings->lock_quorum.max_ttl, defaults.max_ttl);
  EXPECT_EQ(settings->lock_quorum.drift_percent, defaults.drift_percent);
  EXPECT_EQ(settings->lock_quorum.drift, defaults.drift);
  EXPECT_EQ(settings->lock_quorum.retry_delay, defaults.retry_delay);
  EXPECT_EQ(settings->lock_quorum.quorum, 0u);
}

TEST(LockSettingsTest, WhatCannotKeepLocksIsNamed) {
  EXPECT_THAT(Complaint(Flags(kThree, "r0")), HasSubstr("names 1 backends; give an odd number from 3 on"));
  EXPECT_THAT(Complaint(Flags({"redis://a", "redis://b", "redis://c", "redis://d"}, "r0,r1,r2,r3")),
              HasSubstr("names 4 backends"));
  EXPECT_THAT(Complaint(Flags(kThree, "r0,r1,r1")), HasSubstr("names backend r1 twice"));
  EXPECT_THAT(Complaint(Flags(kThree, "r0,r1,r7")), HasSubstr("there is no backend \"r7\""));
  EXPECT_THAT(Complaint(Flags(kThree, "r0,r1,data")), HasSubstr("data is not of type redis"));
  EXPECT_THAT(Complaint(Flags({"redis://a", "redis://b", "redis+sentinel://s/main"}, "r0,r1,r2")),
              HasSubstr("name servers that stand alone"));
  EXPECT_THAT(Complaint(Flags({"redis://a", "redis://b", "redis://a/1"}, "r0,r1,r2")),
              HasSubstr("backends r0 and r2 are the same server"));
  std::vector<std::string> forgetful = Flags(kThree, "r0,r1,r2");
  std::erase(forgetful, "--backends.r2.durable=true");
  EXPECT_THAT(Complaint(forgetful), HasSubstr("set backends.r2.durable: true"));
  std::vector<std::string> shared = Flags(kThree, "r0,r1,r2");
  shared.insert(shared.end(), {"--stores.other.backend=r0", "--default_store=main"});
  EXPECT_THAT(Complaint(shared), HasSubstr("backend r0 is that of a store"));
  std::vector<std::string> cache = Flags(kThree, "r0,r1,r2");
  cache.push_back("--stores.main.cache=r1");
  EXPECT_THAT(Complaint(cache), HasSubstr("backend r1 is that of a store, or its cache"));
}

}  // namespace
}  // namespace holdfast::service
