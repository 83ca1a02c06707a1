// Several instances on one database: each hears of what all of them change, in the order of every key, and nothing is
// passed over.
#include <atomic>
#include <thread>

#include "tests/postgres/pgbouncer.h"
#include "tests/unit/service/backends/postgres/fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using Instances = PostgresTest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Puts, increments and deletes of few keys, one at a time and in batches.
void WriteMuch(Backend& backend, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    std::vector<Operation> operations = {Operation::Put("a" + std::to_string(i % 3), std::to_string(i)),
                                         Operation::Increment("n", 1),
                                         i % 4 == 3 ? Operation::Delete("a0") : Operation::Put("b", "x")};
    std::vector<OperationResult> results(operations.size());
    backend.Execute(operations, results, Deadline::After(seconds{30}));
    for (const OperationResult& result : results) ASSERT_TRUE(result.status.ok()) << result.status.error().ToString();
  }
}

TEST_F(Instances, EachHearsOfEveryChangeOfAllInTheOrderOfEveryKey) {
  const auto heard_first = std::make_shared<HeardChanges>();
  const auto heard_second = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> first = Open(heard_first);
  const std::unique_ptr<Backend> second = Open(heard_second);
  std::vector<std::thread> writers;
  for (Backend* backend : {first.get(), second.get(), first.get(), second.get()}) {
    writers.emplace_back([backend] { WriteMuch(*backend, 40); });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ("160", Run(*first, Operation::Get("n")).entry->value);
  EXPECT_TRUE(first->AwaitListener());
  EXPECT_TRUE(second->AwaitListener());
  EXPECT_EQ(heard_first->heard(), heard_second->heard());
  EXPECT_EQ(160u, heard_second->heard().at("n").size());
  EXPECT_EQ(0u, heard_first->breaks());
  EXPECT_EQ(0u, heard_second->breaks());
}

TEST_F(Instances, AWriterHasHeardOfItsChangeWhenItIsAnswered) {
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> writer = Open(heard);
  const std::unique_ptr<Backend> other = Open();
  for (std::size_t i = 1; i <= 20; ++i) {
    ASSERT_EQ("ok", CodeOf(Run(*writer, Operation::Put("k", "v")).status));
    EXPECT_EQ(i, heard->count());
  }
}

// Coming and going while others write: neither the way from telling oneself to the log nor the way back loses or
// reorders anything for those who stay.
TEST_F(Instances, WhoStaysHearsEverythingWhileOthersComeAndGo) {
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> stays = Open(heard);
  std::atomic<bool> stop{false};
  std::size_t written = 0;
  std::thread writer([&] {
    for (; !stop; ++written) ASSERT_EQ("ok", CodeOf(Run(*stays, Operation::Increment("n", 1)).status));
  });
  std::size_t written_by_others = 0;
  for (int i = 0; i < 5; ++i) {
    const auto heard_by_other = std::make_shared<HeardChanges>();
    const std::unique_ptr<Backend> other = Open(heard_by_other);
    for (int k = 0; k < 20; ++k, ++written_by_others) {
      ASSERT_EQ("ok", CodeOf(Run(*other, Operation::Increment("n", 1)).status));
    }
    EXPECT_EQ(0u, heard_by_other->breaks());
    ASSERT_EQ("ok", CodeOf(other->Close()));
    // Alone again: nothing is logged any more.
    auto session = database_.Connect().value();
    EXPECT_TRUE(Eventually([&] {
      const std::string before = session.Value("SELECT last_value FROM holdfast.changes_position_seq").value();
      EXPECT_EQ("ok", CodeOf(Run(*stays, Operation::Put("other", "v")).status));
      return before == session.Value("SELECT last_value FROM holdfast.changes_position_seq").value();
    }));
  }
  stop = true;
  writer.join();
  EXPECT_TRUE(Eventually([&] { return heard->heard().at("n").size() >= written + written_by_others; }));
  EXPECT_EQ(written + written_by_others, heard->heard().at("n").size());
  EXPECT_EQ(0u, heard->breaks());
}

// A position that was drawn and is not there yet: its writer commits late. Rows behind it have to wait.
TEST_F(Instances, APositionThatIsStillBeingWrittenIsNotPassedOver) {
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> reader = Open(heard);
  const std::unique_ptr<Backend> writer = Open();
  auto late = database_.Connect().value();
  const std::string slow =
      "INSERT INTO holdfast.changes (key, cause, after_version, after_created_at, after_updated_at, after_value) "
      "VALUES ('late', 0, 1, 1, 1, 'x')";
  ASSERT_TRUE(late.Execute("BEGIN; " + slow).ok());
  std::thread next([&] { EXPECT_EQ("ok", CodeOf(Run(*writer, Operation::Put("next", "v")).status)); });
  auto session = database_.Connect().value();
  EXPECT_TRUE(Eventually([&] { return session.Value("SELECT count(*) FROM holdfast.changes").value() == "1"; }));
  EXPECT_EQ(0u, heard->count());
  ASSERT_TRUE(late.Execute("COMMIT").ok());
  next.join();
  EXPECT_TRUE(Eventually([&] { return heard->count() == 2; }));
  // And one that is undone holds nobody up for longer.
  ASSERT_TRUE(late.Execute("BEGIN; " + slow + "; ROLLBACK").ok());
  EXPECT_EQ("ok", CodeOf(Run(*writer, Operation::Put("next", "w")).status));
  EXPECT_TRUE(Eventually([&] { return heard->count() == 3; }));
}

TEST_F(Instances, ALostConnectionForNotificationsIsMadeAgainAndNothingIsMissed) {
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> reader = Open(heard);
  const std::unique_ptr<Backend> writer = Open();
  auto session = database_.Connect().value();
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(session
                    .Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                             "current_database() AND pid <> pg_backend_pid() AND query LIKE '%change_state%'")
                    .ok());
    // A pooled connection that was cut as well may cost one answer.
    EXPECT_TRUE(Eventually([&] { return Run(*writer, Operation::Put("k" + std::to_string(i), "v")).status.ok(); }));
    EXPECT_TRUE(Eventually([&] { return heard->heard().count("k" + std::to_string(i)) == 1; }));
  }
  EXPECT_EQ(0u, heard->breaks());
  EXPECT_EQ(0u, heard->missed());
}

TEST_F(Instances, WhoWasTakenForGoneJoinsAgainBeforeItWritesAndSaysThatItMissedSomething) {
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> backend = Open(heard);
  auto session = database_.Connect().value();
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.change_state; DELETE FROM holdfast.instances; COMMIT").ok());
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "v")).status));
  EXPECT_EQ("1", session.Value("SELECT count(*) FROM holdfast.instances").value());
  EXPECT_EQ(1u, heard->missed());
  EXPECT_EQ("ok", CodeOf(backend->CheckHealth(Deadline::After(seconds{20}))));
}

TEST_F(Instances, WhoCannotJoinAgainInTimeIsNotHealthy) {
  options_.poll_interval = seconds{10};  // so that the health check is the first to notice
  const std::unique_ptr<Backend> backend = Open();
  auto session = database_.Connect().value();
  ASSERT_TRUE(session
                  .Execute("SELECT pg_advisory_lock(42); "
                           "CREATE FUNCTION holdfast.hold() RETURNS trigger LANGUAGE plpgsql AS "
                           "'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END'; "
                           "BEGIN; LOCK TABLE holdfast.change_state; DELETE FROM holdfast.instances; "
                           "CREATE TRIGGER hold BEFORE INSERT ON holdfast.instances FOR EACH ROW "
                           "EXECUTE FUNCTION holdfast.hold(); COMMIT")
                  .ok());
  EXPECT_NE("ok", CodeOf(backend->CheckHealth(Deadline::After(seconds{1}))));
  ASSERT_TRUE(session.Execute("SELECT pg_advisory_unlock(42)").ok());
  EXPECT_EQ("ok", CodeOf(backend->CheckHealth(Deadline::After(seconds{20}))));
}

TEST_F(Instances, TheLogIsTrimmedAndTheSilentAreTakenOut) {
  options_.instance_timeout = milliseconds{600};
  const std::unique_ptr<Backend> first = Open(std::make_shared<HeardChanges>());
  auto session = database_.Connect().value();
  ASSERT_TRUE(session
                  .Execute("INSERT INTO holdfast.instances (name, position, seen_at) VALUES ('dead', 0, now() - "
                           "interval '1 hour'); UPDATE holdfast.change_state SET epoch = epoch + 1")
                  .ok());
  ASSERT_EQ("ok", CodeOf(Run(*first, Operation::Put("k", "v")).status));
  EXPECT_TRUE(Eventually([&] {
    return session.Value("SELECT count(*) FROM holdfast.instances").value() == "1" &&
           session.Value("SELECT count(*) FROM holdfast.changes").value() == "0";
  }));
}

TEST_F(Instances, WithoutNotificationsChangesAreAskedFor) {
  options_.pooled = true;  // nothing is kept in a session, so nothing listens
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> reader = Open(heard);
  const std::unique_ptr<Backend> writer = Open();
  ASSERT_EQ("ok", CodeOf(Run(*writer, Operation::Put("k", "v")).status));
  EXPECT_TRUE(Eventually([&] { return heard->count() == 1; }));
}

// The schema says that it was written last on another timeline, as behind a failover: nobody writes before the versions
// are lifted, once, and everybody joins again. Behind a pooler too, where no new connection tells of the failover.
class AnotherHistory : public Instances, public testing::WithParamInterface<bool> {};

TEST_P(AnotherHistory, IsJoinedBeforeAnythingIsWritten) {
  std::unique_ptr<postgres_servers::PgBouncer> pooler;
  if (GetParam()) {
    pooler = postgres_servers::PgBouncer::Start(database_.server()).value();
    options_.url = pooler->Url(database_.name());
    options_.pooled = true;
  }
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> one = Open(heard);
  const std::unique_ptr<Backend> other = Open();
  const Version before = Run(*one, Operation::Put("k", "1")).version;
  ASSERT_TRUE(Eventually([&] { return heard->count() == 1; }));
  auto session = database_.Connect().value();
  ASSERT_TRUE(session.Execute("UPDATE holdfast.change_state SET timeline = 'FFFFFFFF'").ok());
  std::vector<std::thread> writers;
  for (Backend* backend : {one.get(), other.get(), one.get(), other.get()}) {
    writers.emplace_back([backend] { WriteMuch(*backend, 10); });
  }
  for (std::thread& writer : writers) writer.join();
  const Version behind = Run(*other, Operation::Put("k", "2")).version;
  EXPECT_GE(behind - before, Version{1} << 42);
  // Both are instances of the new history, and none of the old.
  EXPECT_EQ("2", session.Value("SELECT count(*) FILTER (WHERE id > 1000000) FROM holdfast.instances").value());
  EXPECT_EQ("2", session.Value("SELECT count(*) FROM holdfast.instances").value());
  EXPECT_EQ(1u, heard->missed());
  EXPECT_EQ(0u, heard->breaks());
  // Known from now on.
  const Version next = Run(*one, Operation::Put("k", "3")).version;
  EXPECT_GT(next, behind);
  EXPECT_LT(next - behind, Version{1} << 30);
}

INSTANTIATE_TEST_SUITE_P(Ways, AnotherHistory, testing::Values(false, true),
                         [](const auto& name) { return name.param ? "pooled" : "direct"; });

}  // namespace
}  // namespace holdfast::storage
