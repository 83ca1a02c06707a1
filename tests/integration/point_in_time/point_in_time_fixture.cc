#include "tests/integration/point_in_time/point_in_time_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <thread>

#include "base/time/duration.h"
#include "service/backup/folder_target.h"
#include "service/backup/s3_target.h"
#include "tests/postgres/entry_schema.h"

namespace holdfast {
namespace {

using s3_servers::SharedServer;

constexpr char kPrefix[] = "some/where";
const std::string kLogOfStore = "main.changes";

}  // namespace

std::string WhereName(const testing::TestParamInfo<Where>& info) {
  return info.param.backend + "_on_" + info.param.target;
}

PointInTimeTest::PointInTimeTest() {
  if (GetParam().backend == "postgres") LoseTheStore();
  StartRedis();
  if (!on_s3()) return;
  static std::atomic<int> made{0};
  const char* const kind = GetParam().target == "s3" ? "conditional" : "plain";
  bucket_ = SharedServer().MakeBucket(fmt::format("{}-{}", kind, ++made));
  proxy_ = std::make_unique<s3_servers::S3Proxy>(SharedServer().port());
}

void PointInTimeTest::StartRedis() {
  if (GetParam().backend == "redis") {
    redis_servers::ServerOptions options;
    options.append_only = true;
    redis_ = redis_servers::RedisServer::Start(options).value();
  } else if (GetParam().backend == "redis_sentinel") {
    group_ = redis_servers::SentinelGroup::Start().value();
  } else if (GetParam().backend == "redis_cluster") {
    redis_servers::RedisClusterOptions options;
    options.replicas = 0;
    cluster_ = redis_servers::RedisCluster::Start(options).value();
  }
}

std::string PointInTimeTest::Place(const std::string& s3) const {
  if (!on_s3()) return "directory: " + (folder_.path() / "backups").string();
  return fmt::format(
      "s3: {{endpoint: '{}', bucket: {}, prefix: {}, region: {}, access_key_file: {}, secret_key_file: {}, "
      "{}}}",
      proxy_->url(), bucket_.bucket, kPrefix, s3_servers::kRegion, bucket_.access_key_file, bucket_.secret_key_file,
      s3);
}

Service PointInTimeTest::OpenWith(const std::string& store, const std::string& interval, const std::string& s3,
                                  const std::string& backups) const {
  return {folder_, Backend(), Settings(store, interval, s3, backups)};
}

Service PointInTimeTest::OpenBeside(const std::string& interval) const {
  return {beside_, Backend(), Settings("change_archive: true", interval, "attempts: 2", "")};
}

std::string PointInTimeTest::Backend() const {
  constexpr std::string_view kShared = "pool_max: 4, poll_interval: 50ms, instance_timeout: 5s";
  if (database_) return fmt::format("postgres, url: \"{}\", {}{}", database_->Url(), kShared, backend_settings_);
  const std::string redis = redis_ ? redis_->Url() : group_ ? group_->Url() : cluster_ ? cluster_->Url() : "";
  if (!redis.empty()) return fmt::format("redis, url: \"{}\", {}{}", redis, kShared, backend_settings_);
  return GetParam().backend + backend_settings_;
}

std::string PointInTimeTest::Settings(const std::string& store, const std::string& interval, const std::string& s3,
                                      const std::string& backups) const {
  return fmt::format(
      "stores: {{main: {{backend: local, {}}}}}\nbackups: {{{}{}, change_archive_segment_bytes: 64Ki, "
      "change_archive_interval: {}}}\n",
      store, backups, Place(s3), interval);
}

void PointInTimeTest::LoseTheStore() {
  if (GetParam().backend == "postgres") {
    database_.emplace();
    const Status made = postgres_servers::MakeEntrySchema(*database_);
    EXPECT_TRUE(made.ok()) << made.error().ToString();
  }
  if (redis_) {
    redis_->Kill();
    EXPECT_TRUE(redis_->EmptyData().ok());
    EXPECT_TRUE(redis_->StartAgain().ok());
  }
  if (cluster_) {
    for (const auto& server : cluster_->servers()) EXPECT_TRUE(server->Cli({"FLUSHALL"}).ok());
  }
  std::filesystem::remove_all(folder_.path() / "data");
}

std::string PointInTimeTest::Archives() const {
  if (redis_) {
    const auto stores = redis_->Cli({"HGET", "holdfast:state", "archives"});
    return !stores.ok() ? stores.error().ToString() : stores->find("main") != std::string::npos ? "1" : "0";
  }
  const auto count = database_->Connect()->Value("SELECT count(*) FROM holdfast.change_archives");
  return count.ok() ? *count : count.error().ToString();
}

std::shared_ptr<backup::Target> PointInTimeTest::LogTarget() const {
  if (on_s3()) return backup::MakeS3Target({bucket_, kPrefix}, kLogOfStore);
  return backup::MakeFolderTarget((folder_.path() / "backups").string(), kLogOfStore);
}

std::vector<std::uint64_t> PointInTimeTest::Segments() const {
  std::vector<std::uint64_t> numbers;
  const auto listed = backup::ChangeLog(LogTarget(), "main", {}).List(Deadline::Infinite());
  EXPECT_TRUE(listed.ok()) << listed.error().ToString();
  if (!listed.ok()) return numbers;
  for (const auto& each : *listed) numbers.push_back(each.number);
  return numbers;
}

void PointInTimeTest::Flip(std::uint64_t number) const {
  const backup::ObjectName name{"log", backup::SegmentName(number)};
  auto bytes = LogTarget()->Get(name, backup::kMaxSegmentBytes, Deadline::Infinite());
  ASSERT_TRUE(bytes.ok()) << bytes.error().ToString();
  char& middle = (*bytes)[bytes->size() / 2];
  middle = static_cast<char>(middle ^ 1);
  const Status put = LogTarget()->Put(name, *bytes, Deadline::Infinite());
  ASSERT_TRUE(put.ok()) << put.error().ToString();
}

void PointInTimeTest::ExpectWhole(const std::vector<Write>& writes) const {
  const backup::ChangeLog log(LogTarget(), "main", {});
  std::map<std::string, int> times;
  durability::Digest previous{};
  std::uint64_t next = 1;
  for (const std::uint64_t number : Segments()) {
    ASSERT_EQ(number, next++);
    const auto segment = log.Read(number, Deadline::Infinite());
    ASSERT_TRUE(segment.ok()) << number << ": " << segment.error().ToString();
    EXPECT_EQ(segment->header.previous, previous) << number;
    EXPECT_EQ(segment->header.since, 1U) << number << ": " << segment->header.gap;
    previous = segment->digest;
    for (const storage::KeyChange& change : segment->changes) {
      if (change.entry) ++times[change.key.substr(change.key.rfind('k') + 1)];
    }
  }
  for (const Write& write : writes) {
    const int seen = times[write.key];
    EXPECT_TRUE(seen == 1 || (seen == 0 && write.answered == Timestamp{})) << write.key << " is there " << seen;
  }
}

Finished PointInTimeTest::Holdfast(const Service& service, std::vector<std::string> words) {
  words.insert(words.end(), {"--url", service.url()});
  return RunHoldfast({words, {}, ""});
}

void PointInTimeTest::Backup(const Service& service, const std::string& id) {
  const Finished made = Holdfast(service, {"backup", "create", id});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
}

Timestamp PointInTimeTest::Moment() {
  const Timestamp moment = SystemClock().Now();
  while (SystemClock().Now() <= moment) std::this_thread::yield();
  return moment;
}

std::string PointInTimeTest::BodyOf(Service& service, const std::string& key) {
  const auto got = service.Send("GET", kKeys + key);
  return got.status == 200 ? got.body : std::to_string(got.status);
}

void PointInTimeTest::ExpectTimesBehindANewBackup(Service& service) {
  Backup(service, "two");
  service.Send("PUT", kKeys + "k", {}, "behind it");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "k", {}, "later");
  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "behind it");
}

void PointInTimeTest::Kill(Service& service) {
  service.process().Signal(SIGKILL);
  service.process().Wait();
}

std::vector<PointInTimeTest::Write> PointInTimeTest::WriteAndKill(
    Service& service, const std::string& name, const std::function<void(const std::function<int()>& answered)>& until) {
  std::vector<Write> all;
  http::ClientOptions options;
  options.base_url = service.url();
  http::HttpClient client(options);
  std::atomic<int> answered{0};
  std::thread killer([&] {
    until([&] { return answered.load(); });
    service.process().Signal(SIGKILL);
  });
  for (bool alive = true; alive;) {
    Write write{fmt::format("{}-{}", name, all.size()), SystemClock().Now(), {}};
    const auto answer = client.Send({"PUT", kKeys + write.key, {}, "v"}, Deadline::After(std::chrono::seconds{30}));
    alive = answer.ok() && answer->status < 300;
    if (alive) write.answered = SystemClock().Now();
    all.push_back(write);
    ++answered;
  }
  killer.join();
  service.process().Wait();
  return all;
}

std::vector<PointInTimeTest::Write> PointInTimeTest::WriteAndKill(Service& service, const std::string& name,
                                                                  int answers) {
  return WriteAndKill(service, name, [answers](const std::function<int()>& answered) {
    while (answered() < answers) std::this_thread::yield();
  });
}

std::size_t PointInTimeTest::Check(Service& service, const std::vector<Write>& writes, Timestamp moment) {
  std::size_t there = 0;
  for (const Write& write : writes) {
    const bool found = BodyOf(service, write.key) == "v";
    there += found ? 1 : 0;
    const bool acknowledged = write.answered != Timestamp{} && write.answered <= moment;
    EXPECT_TRUE(found || !acknowledged) << write.key << " was acknowledged and is missing";
    EXPECT_TRUE(!found || write.sent <= moment) << write.key << " was not asked for yet";
  }
  return there;
}

void PointInTimeTest::RestoreAndCheck(Service& service, const std::vector<Write>& writes,
                                      const std::vector<std::size_t>& which) {
  for (std::size_t at : which) {
    if (writes[at].answered == Timestamp{}) --at;
    const Timestamp moment = writes[at].answered;
    const Finished done = Holdfast(service, {"restore", "--to-time", FormatTimestamp(moment)});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    const std::size_t there = Check(service, writes, moment);
    EXPECT_GT(there, 0U);
    EXPECT_LT(there, writes.size()) << "the control: later ones are gone";
  }
}

}  // namespace holdfast
