// A running service whose store has a change log, wherever the log lies, and what is known of the writes to the store.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "service/backup/change_log.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_cluster.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/sentinel_group.h"
#include "tests/s3/s3_proxy.h"
#include "tests/s3/s3_server.h"

namespace holdfast {

inline const std::string kKeys = "/v1/stores/main/keys/";
inline const std::string kBackups = "/v1/stores/main/backups";

// What backend the store is on, and what place its backups and changes go to.
struct Where {
  std::string backend;  // memory, rocksdb, postgres, redis, redis_sentinel or redis_cluster
  std::string target;   // folder; of an S3 server that creates conditionally s3, of one that does not plains3
};
// "rocksdb_on_s3"
std::string WhereName(const testing::TestParamInfo<Where>& info);

class PointInTimeTest : public testing::TestWithParam<Where> {
 protected:
  struct Write {
    std::string key;
    Timestamp sent;
    Timestamp answered;  // the epoch: nobody knows what became of it
  };

  PointInTimeTest();

  // `interval`: of shipping; by default nothing is shipped by itself. Requests to an S3 server go through proxy();
  // `s3`: a further setting of it.
  Service Open(const std::string& interval = "24h", const std::string& s3 = "attempts: 2") const {
    return OpenWith("change_archive: true", interval, s3);
  }
  // `store`: further settings of it. `backups`: likewise, each with ", " behind it.
  Service OpenWith(const std::string& store, const std::string& interval = "24h", const std::string& s3 = "attempts: 2",
                   const std::string& backups = "") const;
  bool on_s3() const { return GetParam().target != "folder"; }
  s3_servers::S3Proxy& proxy() { return *proxy_; }
  // What the store keeps is lost, as with its disk. No service runs.
  void LoseTheStore();
  // Another instance with the same settings, on a store that several may serve. 24h: it ships when it is asked.
  Service OpenBeside(const std::string& interval) const;
  // Further settings of the backend from now on, each with ", " in front of it.
  void SetBackend(std::string settings) { backend_settings_ = std::move(settings); }

  // How many stores the PostgreSQL or Redis keeps changes for.
  std::string Archives() const;
  // Of a store on redis: it syncs each write.
  redis_servers::RedisServer& redis() const { return *redis_; }
  // Of a store on redis_sentinel.
  redis_servers::SentinelGroup& group() const { return *group_; }

  // Straight to the place that the log lies in, past the proxy.
  std::shared_ptr<backup::Target> LogTarget() const;
  std::vector<std::uint64_t> Segments() const;
  // Changes a byte in the middle of the segment, and back at the second call.
  void Flip(std::uint64_t number) const;
  // The log is one row without a gap from its beginning on, and has each of these keys' values once.
  void ExpectWhole(const std::vector<Write>& writes) const;

  static Finished Holdfast(const Service& service, std::vector<std::string> words);
  static void Backup(const Service& service, const std::string& id);
  // The instant lies behind every answer before and before every request behind it.
  static Timestamp Moment();
  static std::string BodyOf(Service& service, const std::string& key);
  // Behind a gap: once there is another backup, `two`, what is written behind it can be had by its time.
  static void ExpectTimesBehindANewBackup(Service& service);
  static void Kill(Service& service);

  // To keys of their own, until the process is killed, which it is when `until` returns; that is told of each answer.
  static std::vector<Write> WriteAndKill(Service& service, const std::string& name,
                                         const std::function<void(const std::function<int()>& answered)>& until);
  // After so many answers.
  static std::vector<Write> WriteAndKill(Service& service, const std::string& name, int answers);
  // Fails the test where what is there is not what was known at `moment`; how many are.
  static std::size_t Check(Service& service, const std::vector<Write>& writes, Timestamp moment);
  // Restores to the time of the answer of each of these writes, and checks.
  static void RestoreAndCheck(Service& service, const std::vector<Write>& writes,
                              const std::vector<std::size_t>& which);

  const TemporaryFolder folder_;

 private:
  void StartRedis();
  std::string Place(const std::string& s3) const;
  std::string Backend() const;
  std::string Settings(const std::string& store, const std::string& interval, const std::string& s3,
                       const std::string& backups) const;

  const TemporaryFolder beside_;
  std::string backend_settings_;
  std::optional<postgres_servers::FreshDatabase> database_;
  std::unique_ptr<redis_servers::RedisServer> redis_;
  std::unique_ptr<redis_servers::SentinelGroup> group_;
  std::unique_ptr<redis_servers::RedisCluster> cluster_;
  s3::BucketOptions bucket_;  // past the proxy
  std::unique_ptr<s3_servers::S3Proxy> proxy_;
};

}  // namespace holdfast
