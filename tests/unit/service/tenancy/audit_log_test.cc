#include "service/tenancy/audit_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::tenancy {
namespace {

using std::chrono::seconds;

class AuditLogTest : public testing::Test {
 protected:
  void Open(AuditOptions options) {
    options.on = true;
    auto log = AuditLog::Open(options, registry_, clock_);
    ASSERT_TRUE(log.ok()) << log.error().message();
    log_ = std::move(log).value();
  }
  void Add(const std::string& key, const std::string& name_space = "team-a", const std::string& actor = "anna") {
    AuditRecord record;
    record.actor = actor;
    record.from = "10.0.0.7";
    record.name_space = name_space;
    record.store = "main";
    record.operation = "put";
    record.key = key;
    record.version = 7;
    record.value = Sha256("abc");
    log_->Add(std::move(record));
  }
  static std::vector<std::string> KeysOf(const AuditPage& page) {
    std::vector<std::string> keys;
    for (const AuditRecord& record : page.records) keys.push_back(record.key);
    return keys;
  }
  static AuditQuery InTeamA() {
    AuditQuery query;
    query.name_space = "team-a";
    return query;
  }

  ManualClock clock_;
  metrics::Registry registry_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, FiltersWithinOneNamespace) {
  Open({});
  Add("k1");
  Add("k1", "team-b");
  clock_.Advance(seconds{10});
  Add("k2", "team-a", "bert");
  EXPECT_EQ(KeysOf(log_->Find(InTeamA())), (std::vector<std::string>{"k1", "k2"}));
  AuditQuery query = InTeamA();
  query.key = "k1";
  EXPECT_EQ(KeysOf(log_->Find(query)), (std::vector<std::string>{"k1"}));
  query = InTeamA();
  query.actor = "bert";
  EXPECT_EQ(KeysOf(log_->Find(query)), (std::vector<std::string>{"k2"}));
  query = InTeamA();
  query.since = clock_.Now();
  EXPECT_EQ(KeysOf(log_->Find(query)), (std::vector<std::string>{"k2"}));
  query.since = clock_.Now() + seconds{1};
  EXPECT_TRUE(log_->Find(query).records.empty());
}

TEST_F(AuditLogTest, PagesGoOnWhereTheyEnded) {
  Open({});
  for (int i = 0; i < 25; ++i) Add(std::to_string(i), i % 2 == 0 ? "team-a" : "team-b");
  AuditQuery query = InTeamA();
  query.limit = 5;
  std::vector<std::string> seen;
  for (bool complete = false; !complete;) {
    const AuditPage page = log_->Find(query);
    for (const std::string& key : KeysOf(page)) seen.push_back(key);
    EXPECT_LE(page.records.size(), 5u);
    query.after = page.last;
    complete = page.complete;
  }
  ASSERT_EQ(seen.size(), 13u);
  EXPECT_EQ(seen.back(), "24");
  Add("later");
  EXPECT_EQ(KeysOf(log_->Find(query)), (std::vector<std::string>{"later"}));
}

TEST_F(AuditLogTest, OnlyTheNewestAreKept) {
  AuditOptions options;
  options.max_entries = 3;
  Open(options);
  for (int i = 0; i < 10; ++i) Add(std::to_string(i));
  EXPECT_EQ(KeysOf(log_->Find(InTeamA())), (std::vector<std::string>{"7", "8", "9"}));
  AuditQuery query = InTeamA();
  query.after = 2;  // long gone: what is left follows
  EXPECT_EQ(KeysOf(log_->Find(query)), (std::vector<std::string>{"7", "8", "9"}));
  query.after = 1'000;  // a cursor of an earlier process
  EXPECT_TRUE(log_->Find(query).complete);
}

TEST_F(AuditLogTest, TimeDoesNotRunBackwards) {
  Open({});
  Add("k1");
  const Timestamp first = clock_.Now();
  clock_.JumpTo(first - seconds{100});
  Add("k2");
  EXPECT_EQ(log_->Find(InTeamA()).records.back().time, first);
}

TEST_F(AuditLogTest, TheFileHoldsEveryRecordAndIsPrivate) {
  const TemporaryFile file("");
  file.Remove();
  AuditOptions options;
  options.max_entries = 1;
  options.file = file.path();
  Open(options);
  Add("k1");
  Add(std::string("\xff\"\n", 3));
  log_.reset();
  struct stat status {};
  ASSERT_EQ(stat(file.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  Open(options);  // appends
  Add("k3");
  log_.reset();

  std::ifstream in(file.path());
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["key"], "k1");
  EXPECT_EQ(lines[0]["actor"], "anna");
  EXPECT_EQ(lines[0]["from"], "10.0.0.7");
  EXPECT_EQ(lines[0]["etag"], "7");
  EXPECT_EQ(lines[0]["value"], "sha256:" + ToHex(Sha256("abc")));
  EXPECT_EQ(lines[0]["time"], "2023-11-14T22:13:20Z");
  EXPECT_FALSE(lines[0].contains("encoding"));
  EXPECT_EQ(lines[1]["key"], "/yIK");
  EXPECT_EQ(lines[1]["encoding"], "base64");
  EXPECT_EQ(lines[2]["id"], 1);
}

TEST_F(AuditLogTest, AFullDiskIsCountedAndStopsNothing) {
  AuditOptions options;
  options.file = "/dev/full";
  Open(options);
  for (int i = 0; i < 5; ++i) Add(std::to_string(i));
  EXPECT_EQ(log_->Find(InTeamA()).records.size(), 5u);
  log_.reset();
  EXPECT_EQ(registry_.GetCounter("holdfast_audit_lost_total", "").Value(), 5);
  EXPECT_EQ(registry_.GetCounter("holdfast_audit_records_total", "").Value(), 5);
}

TEST_F(AuditLogTest, AFileThatCannotBeOpenedStopsTheStart) {
  AuditOptions options;
  options.on = true;
  options.file = "/nowhere/at/all";
  EXPECT_FALSE(AuditLog::Open(options, registry_, clock_).ok());
}

TEST_F(AuditLogTest, OffNothingIsKept) {
  auto log = AuditLog::Open({}, registry_, clock_);
  ASSERT_TRUE(log.ok());
  log_ = std::move(log).value();
  Add("k1");
  EXPECT_TRUE(log_->Find(InTeamA()).records.empty());
}

}  // namespace
}  // namespace holdfast::tenancy
