// How values are kept, as the service and `holdfast migrate up` say it to a real server.
#include "service/migrations/value_storage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/integration/migrations/schema_under_test.h"
#include "tests/integration/service/service_process.h"
#include "tests/postgres/pgbouncer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::migrations {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class SchemaValueStorage : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(schema_.Up().ok()); }

  Result<bool> Apply(const ValueStorage& wanted) const { return ApplyValueStorage(schema_.target(), wanted, options_); }
  bool MustApply(const ValueStorage& wanted) const {
    const auto altered = Apply(wanted);
    EXPECT_TRUE(altered.ok()) << altered.error().message();
    return altered.ok() && *altered;
  }
  std::string Value(const std::string& sql) {
    const auto value = session_.Value(sql);
    EXPECT_TRUE(value.ok()) << value.error().message();
    return value.ok() ? *value : "";
  }
  // "x l 4096"; a dot is what was never said.
  std::string Stands() {
    return Value(
        "SELECT attstorage::text || ' ' || coalesce(nullif(attcompression::text, ''), '.') || ' ' || coalesce((SELECT "
        "option_value FROM pg_options_to_table(reloptions) WHERE option_name = 'toast_tuple_target'), '.') FROM "
        "pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attrelid = 'entries'::regclass AND attname = 'value'");
  }
  void Put(const std::string& key, int bytes) {
    const Status put = session_.Execute(
        fmt::format("INSERT INTO entries (key, version, created_at, updated_at, value) VALUES ('{}', 2, 1, 1, "
                    "convert_to(repeat('v', {}), 'UTF8'))",
                    key, bytes));
    ASSERT_TRUE(put.ok()) << put.error().message();
  }
  // "lz4", "pglz" or "plain" when it stands there as it was given.
  std::string How(const std::string& key) {
    return Value(
        fmt::format("SELECT coalesce(pg_column_compression(value), 'plain') FROM entries WHERE key = '{}'", key));
  }
  std::string Settings(const TemporaryFolder& folder, const std::string& rows) const {
    return folder.Write("holdfast.yaml",
                        fmt::format("backends:\n  db: {{type: postgres, url: \"{}\", {}}}\n"
                                    "listen: {{address: 127.0.0.1, port: 0}}\nadmin: {{address: 127.0.0.1, port: 0}}\n"
                                    "migrations: {{maintenance_interval: 50ms, lock_timeout: 50ms}}\n",
                                    schema_.database().Url(), rows));
  }

  const SchemaUnderTest schema_;
  Session session_ = schema_.Connect();
  ValueStorageOptions options_;
};

TEST_F(SchemaValueStorage, postgres_is_said_once_and_rewrites_nothing) {
  Put("old", 100'000);
  const std::string file = Value("SELECT pg_relation_filenode('entries')");
  EXPECT_TRUE(MustApply({ValueCompression::kLz4, 4096}));
  EXPECT_EQ(Stands(), "x l 4096");
  const auto row = [&] { return Value("SELECT xmin FROM pg_class WHERE oid = 'entries'::regclass"); };
  const std::string written = row();
  EXPECT_FALSE(MustApply({ValueCompression::kLz4, 4096}));
  EXPECT_EQ(row(), written) << "the catalogue is left alone";
  EXPECT_FALSE(MustApply({}));
  EXPECT_EQ(Stands(), "x l 4096") << "what is not asked for stays";
  EXPECT_EQ(Value("SELECT pg_relation_filenode('entries')"), file);
  EXPECT_EQ(How("old"), "pglz") << "what is stored stays as it is";
}

TEST_F(SchemaValueStorage, postgres_holds_for_what_is_written_from_then_on) {
  EXPECT_TRUE(MustApply({ValueCompression::kLz4, {}}));
  Put("lz4", 100'000);
  EXPECT_TRUE(MustApply({ValueCompression::kNone, {}}));
  Put("none", 100'000);
  EXPECT_TRUE(MustApply({ValueCompression::kPglz, {}}));
  Put("pglz", 100'000);
  EXPECT_EQ(How("lz4"), "lz4");
  EXPECT_EQ(How("none"), "plain");
  EXPECT_EQ(How("pglz"), "pglz");
  // Of the row, and PostgreSQL looks at no row of less than about 2 KB.
  Put("above", 5'000);
  EXPECT_TRUE(MustApply({{}, kMostTupleTarget}));
  Put("below", 5'000);
  EXPECT_TRUE(MustApply({{}, kLeastTupleTarget}));
  Put("small", 1'500);
  EXPECT_EQ(How("above"), "pglz");
  EXPECT_EQ(How("below"), "plain");
  EXPECT_EQ(How("small"), "plain");
}

TEST_F(SchemaValueStorage, postgres_takes_no_other_targets) {
  for (const int target : {kLeastTupleTarget - 1, kMostTupleTarget + 1}) {
    const auto refused = Apply({{}, target});
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().message(), HasSubstr("out of bounds"));
  }
  EXPECT_EQ(Stands(), "x . .");
}

TEST_F(SchemaValueStorage, postgres_of_many_at_once_one_alters_also_behind_a_pooler) {
  auto pooler = postgres_servers::PgBouncer::Start(schema_.database().server());
  ASSERT_TRUE(pooler.ok()) << pooler.error().message();
  const Target pooled{(*pooler)->Url(schema_.database().name()), "", schema_.schema()};
  options_.lock_timeout = std::chrono::seconds{60};  // here they wait for each other
  std::atomic<int> altered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const auto done =
          ApplyValueStorage(i % 2 == 0 ? pooled : schema_.target(), {ValueCompression::kLz4, 1000}, options_);
      EXPECT_TRUE(done.ok()) << done.error().message();
      if (done.ok() && *done) ++altered;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(altered, 1);
  EXPECT_EQ(Stands(), "x l 1000");
}

TEST_F(SchemaValueStorage, postgres_waits_for_nobody_longer_than_it_may) {
  Put("k", 10);
  Session reader = schema_.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN").ok());
  ASSERT_EQ(reader.Value("SELECT count(*) FROM entries").value(), "1");
  options_.lock_timeout = milliseconds{20};
  options_.lock_pause = milliseconds{10};
  options_.lock_attempts = 3;
  const auto refused = Apply({ValueCompression::kLz4, {}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr("hold the table entries for longer than 20 ms"));
  EXPECT_EQ(Stands(), "x . .");
  // Whoever comes in between finds no lock left behind.
  EXPECT_EQ(Value("SELECT count(*) FROM pg_locks WHERE NOT granted"), "0");
  options_.lock_attempts = 100'000;
  std::thread ending([&] { ASSERT_TRUE(reader.Execute("COMMIT").ok()); });
  EXPECT_TRUE(MustApply({ValueCompression::kLz4, {}}));
  ending.join();
  EXPECT_EQ(Stands(), "x l .");
}

TEST_F(SchemaValueStorage, postgres_stops_while_it_waits) {
  Session reader = schema_.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN; LOCK TABLE entries IN ACCESS SHARE MODE").ok());
  options_.lock_timeout = milliseconds{20};
  options_.lock_attempts = 100'000;
  int asked = 0;
  options_.stop = [&asked] { return ++asked > 5; };
  const auto stopped = Apply({ValueCompression::kLz4, {}});
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled);
}

TEST_F(SchemaValueStorage, postgres_a_schema_without_tables_is_said) {
  const SchemaUnderTest empty;
  const auto refused = ApplyValueStorage(empty.target(), {ValueCompression::kLz4, {}}, options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message(), HasSubstr("run: holdfast migrate up"));
}

TEST_F(SchemaValueStorage, postgres_migrate_says_it_too) {
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"migrate", "up", "--config", Settings(folder, "compression: lz4, compression_threshold: 3000")};
  const Finished finished = RunHoldfast(options);
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_EQ(Stands(), "x l 3000");
  // Somebody reads for long: nothing is missing for the service, which tries it again.
  ASSERT_TRUE(session_.Execute("BEGIN; LOCK TABLE entries IN ACCESS SHARE MODE").ok());
  options.words.emplace_back("--backends.db.compression=none");
  options.words.emplace_back("--migrations.lock_attempts=2");
  const Finished held = RunHoldfast(options);
  EXPECT_EQ(held.exit_code, 0);
  EXPECT_THAT(held.errors, HasSubstr("hold the table entries"));
}

TEST_F(SchemaValueStorage, postgres_service_says_it_at_its_start_or_as_soon_as_it_can) {
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"serve", "--config", Settings(folder, "compression: lz4")};
  Session reader = schema_.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN; LOCK TABLE entries IN ACCESS SHARE MODE").ok());
  Process service(options);
  EXPECT_TRUE(Eventually([&] { return service.Errors().find("hold the table entries") != std::string::npos; }));
  EXPECT_TRUE(Eventually([&] { return service.Errors().find("serving") != std::string::npos; }));
  EXPECT_EQ(Stands(), "x . .");
  ASSERT_TRUE(reader.Execute("COMMIT").ok());
  EXPECT_TRUE(Eventually([&] { return Stands() == "x l ."; }));
  // Done once: another release of the service, or a person, may say otherwise from now on.
  ASSERT_TRUE(session_.Execute("ALTER TABLE entries ALTER COLUMN value SET COMPRESSION pglz").ok());
  ASSERT_TRUE(session_.Execute("UPDATE maintenance_tasks SET last_run = NULL").ok());
  EXPECT_TRUE(
      Eventually([&] { return Value("SELECT count(*) FROM maintenance_tasks WHERE last_run IS NULL") == "0"; }));
  EXPECT_EQ(Stands(), "x p .");
  service.Signal(SIGTERM);
  EXPECT_EQ(service.Wait(), 0);
}

}  // namespace
}  // namespace holdfast::migrations
