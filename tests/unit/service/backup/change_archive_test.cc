// A store brought back to a time: what is shipped, what is refused, and what is left when something ends in between.
#include "service/backup/change_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "service/backup/change_replay.h"
#include "service/storage/listened_history.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using storage::BackupRun;
using testing::HasSubstr;
using testing::IsEmpty;
using Content = std::map<std::string, std::string>;

using History = std::shared_ptr<storage::ListenedHistory>;

// To whoever is listening now: a backend is told once.
class Relay final : public storage::ChangeListener {
 public:
  explicit Relay(const History& history) : history_(history) {}
  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override {
    history_->OnChange(key, before, after, cause);
  }

 private:
  const History& history_;
};

class ChangeArchiveTest : public BackupFixture {
 protected:
  ChangeArchiveTest() { backend_->SetChangeListener(std::make_shared<Relay>(history_)); }

  std::filesystem::path LogFolder() const { return folder_ / "backups" / "main.changes" / "log"; }
  std::filesystem::path SegmentFile(std::uint64_t number) const { return LogFolder() / SegmentName(number); }
  std::vector<std::uint64_t> Numbers() const {
    std::vector<std::uint64_t> numbers;
    const auto listed = Log().List(Deadline::Infinite());
    for (const ChangeLog::Listed& each : *listed) numbers.push_back(each.number);
    return numbers;
  }
  std::shared_ptr<Target> LogTarget() const { return MakeFolderTarget((folder_ / "backups").string(), "main.changes"); }
  ChangeLog Log() const { return {LogTarget(), "main", backup_options_.key}; }
  std::unique_ptr<Backups> OpenWithLog(std::shared_ptr<Target> target = nullptr) {
    if (!target) target = LogTarget();
    return std::make_unique<Backups>(Source{backend_, "main"}, OpenTarget(), checkpoints(), backup_options_, clock_,
                                     registry_, nullptr, ChangePlace{std::move(target), history_});
  }
  std::unique_ptr<ChangeShipper> OpenShipper(const ChangeLog& log, storage::ChangeHistory& history) {
    return std::make_unique<ChangeShipper>(log, history, "main", "memory", backup_options_.changes, 1, clock_,
                                           registry_);
  }
  Status Ship() {
    const ChangeLog log = Log();
    const auto shipped = OpenShipper(log, *history_)->Ship(true, Deadline::Infinite());
    return shipped.ok() ? Status() : shipped.error();
  }
  // A moment, with nothing at it and some time around it.
  Timestamp Moment() {
    clock_.Advance(std::chrono::milliseconds{1});
    const Timestamp moment = clock_.Now();
    clock_.Advance(std::chrono::milliseconds{1});
    return moment;
  }
  BackupRun RestoreTo(Backups& backups, Timestamp to, const std::string& id = "") {
    const auto begun = backups.BeginRestoreTo(to, id, Deadline::Infinite());
    if (begun.ok()) return Await(backups, begun);
    BackupRun refused;
    refused.error = begun.error();
    return refused;
  }
  // What the log begins with, two segments, a moment and one more.
  Timestamp FourSegments() {
    Put("a", "1");
    EXPECT_EQ(ErrorOf(Create(*OpenWithLog(), "one")), "");
    Put("a", "2");
    EXPECT_TRUE(Ship().ok());
    Put("b", "2");
    EXPECT_TRUE(Ship().ok());
    const Timestamp moment = Moment();
    Put("a", "3");
    EXPECT_TRUE(Ship().ok());
    return moment;
  }

  History Listen(std::size_t most_bytes = std::size_t{64} << 20) const {
    return std::make_shared<storage::ListenedHistory>(std::string("main\0", 5), most_bytes, clock_);
  }

  History history_ = Listen();
};

TEST_F(ChangeArchiveTest, AStoreIsBroughtBackToAnyTimeSinceABackup) {
  const auto backups = OpenWithLog();
  Put("a", "1");
  Put("kept", "1");
  ASSERT_EQ(ErrorOf(Create(*backups, "one")), "");
  std::vector<std::pair<Timestamp, Content>> moments;
  const auto remember = [&] { moments.emplace_back(Moment(), Rows()); };
  remember();
  Put("a", "2");
  Put("b", "2");
  remember();
  Delete("a");
  remember();
  Delete("kept");
  Put("a", "3");
  Write(storage::Operation::Touch(Key("b"), storage::Expiry::After(std::chrono::hours{1})));
  remember();
  // In any order: what a restore writes is history too.
  for (const std::size_t i : {2U, 0U, 3U, 1U, 2U}) {
    const BackupRun run = RestoreTo(*backups, moments[i].first);
    ASSERT_EQ(ErrorOf(run), "") << i;
    EXPECT_EQ(run.backup, "one");
    EXPECT_EQ(run.to, moments[i].first);
    EXPECT_FALSE(run.restored->undo.empty());
    EXPECT_EQ(Rows(), moments[i].second) << i;
  }
  // The control: without a time it is what the backup holds.
  ASSERT_EQ(ErrorOf(Do(*backups, storage::BackupAction::kRestore, "one")), "");
  EXPECT_EQ(Rows(), moments[0].second);
}

TEST_F(ChangeArchiveTest, TheNewestBackupOfBeforeIsTakenOrTheOneNamed) {
  const auto backups = OpenWithLog();
  Put("a", "1");
  const Timestamp before = Moment();
  ASSERT_EQ(ErrorOf(Create(*backups, "one")), "");
  Put("a", "2");
  const Timestamp between = Moment();
  ASSERT_EQ(ErrorOf(Do(*backups, storage::BackupAction::kIncrement, "two")), "");
  Put("a", "3");
  const Timestamp behind = Moment();
  Put("a", "4");
  EXPECT_EQ(RestoreTo(*backups, behind).backup, "two");
  EXPECT_EQ(Rows().at(Key("a")), "3");
  EXPECT_EQ(RestoreTo(*backups, behind, "one").backup, "one");
  EXPECT_EQ(Rows().at(Key("a")), "3");
  EXPECT_EQ(RestoreTo(*backups, between).backup, "one");
  EXPECT_EQ(Rows().at(Key("a")), "2");
  EXPECT_EQ(CodeOf(RestoreTo(*backups, before)), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(RestoreTo(*backups, between, "two")), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(RestoreTo(*backups, clock_.Now() + std::chrono::seconds{1})), ErrorCode::kInvalidArgument);
}

TEST_F(ChangeArchiveTest, DamageAnywhereIsRefusedBeforeAnythingChanges) {
  const Timestamp moment = FourSegments();
  const auto backups = OpenWithLog();
  // Each one that the restore needs: the log begins with the first.
  const Content before = Rows();
  const std::vector<std::string> checkpoints = Files();
  for (const std::uint64_t number : {2U, 3U}) {
    const std::string bytes = durability::ReadFile(SegmentFile(number));
    ASSERT_FALSE(bytes.empty());
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      durability::WriteFile(SegmentFile(number), flipped);
      ASSERT_EQ(CodeOf(RestoreTo(*backups, moment)), ErrorCode::kCorruption) << number << " " << at;
    }
    durability::WriteFile(SegmentFile(number), bytes.substr(0, bytes.size() / 2));
    ASSERT_EQ(CodeOf(RestoreTo(*backups, moment)), ErrorCode::kCorruption);
    std::filesystem::remove(SegmentFile(number));
    const BackupRun missing = RestoreTo(*backups, moment);
    ASSERT_EQ(CodeOf(missing), ErrorCode::kCorruption);
    EXPECT_THAT(ErrorOf(missing), HasSubstr("is missing"));
    // Another one in its place.
    std::filesystem::copy_file(SegmentFile(number + 1), SegmentFile(number));
    ASSERT_EQ(CodeOf(RestoreTo(*backups, moment)), ErrorCode::kCorruption);
    durability::WriteFile(SegmentFile(number), bytes);
  }
  EXPECT_EQ(Rows(), before);
  EXPECT_EQ(Files(), checkpoints) << "not even an undo was taken";
  ASSERT_EQ(ErrorOf(RestoreTo(*backups, moment)), "");
  EXPECT_EQ(Rows(), (Content{{Key("a"), "2"}, {Key("b"), "2"}}));
}

TEST_F(ChangeArchiveTest, AGapIsRefusedUntilThereIsABackupBehindIt) {
  const Timestamp before_gap = FourSegments();
  auto backups = OpenWithLog();
  const auto window = backups->Window(Deadline::Infinite()).value();
  ASSERT_TRUE(window);
  EXPECT_LE(window->earliest, before_gap);
  EXPECT_GE(window->latest, before_gap);
  // As after the end of the process: what it had heard of is gone.
  history_ = Listen();
  backups = OpenWithLog();
  Put("a", "9");
  const Timestamp in_gap = Moment();
  Put("a", "10");
  const Timestamp behind_gap = Moment();
  for (const Timestamp to : {in_gap, behind_gap}) {
    const BackupRun refused = RestoreTo(*backups, to);
    EXPECT_EQ(CodeOf(refused), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(ErrorOf(refused), HasSubstr("are missing in its change log"));
  }
  EXPECT_FALSE(backups->Window(Deadline::Infinite()).value());
  ASSERT_EQ(ErrorOf(Create(*backups, "two")), "");
  EXPECT_TRUE(backups->Window(Deadline::Infinite()).value());
  Put("a", "11");
  const Timestamp behind_backup = Moment();
  Put("a", "12");
  ASSERT_EQ(ErrorOf(RestoreTo(*backups, behind_backup)), "");
  EXPECT_EQ(Rows().at(Key("a")), "11");
  EXPECT_EQ(CodeOf(RestoreTo(*backups, in_gap)), ErrorCode::kFailedPrecondition);
}

TEST_F(ChangeArchiveTest, MoreThanTheBufferHoldsIsAGap) {
  history_ = Listen(1000);
  const auto backups = OpenWithLog();
  ASSERT_EQ(ErrorOf(Create(*backups, "one")), "");
  Put("a", "few");
  const Timestamp few = Moment();
  EXPECT_EQ(ErrorOf(RestoreTo(*backups, few)), "");  // ships
  for (int i = 0; i < 100; ++i) Put("k" + std::to_string(i), "v");
  const BackupRun refused = RestoreTo(*backups, Moment());
  EXPECT_EQ(CodeOf(refused), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(refused), HasSubstr("change_archive_buffer"));
  EXPECT_EQ(ErrorOf(RestoreTo(*backups, few)), "");
}

// A history that can be read again by anybody, as that of a server.
class Kept final : public storage::ChangeHistory {
 public:
  explicit Kept(const Clock& clock) : clock_(clock) {}
  void Add(const std::string& key) {
    storage::Entry entry;
    entry.value = key;
    changes_.push_back(
        {std::string("main\0default\0k", 14) + key, clock_.Now(), std::make_shared<storage::Entry>(entry)});
  }
  Result<storage::ChangePage> Read(const std::string& position, std::string_view /*prefix*/, std::size_t most_bytes,
                                   Deadline /*deadline*/) override {
    std::size_t at = position.empty() ? changes_.size() : std::stoul(position);
    storage::ChangePage page;
    for (std::size_t bytes = 0; at < changes_.size() && bytes < most_bytes; ++at) {
      page.changes.push_back(changes_[at]);
      bytes += changes_[at].key.size();
    }
    page.position = std::to_string(at);
    page.complete = at == changes_.size();
    page.until = page.complete ? clock_.Now() : page.changes.back().at;
    return page;
  }

 private:
  const Clock& clock_;
  std::vector<storage::KeyChange> changes_;
};

// All that lies in the log, without what it begins with; the log is one row.
std::vector<std::string> AllOf(const ChangeLog& log, std::uint64_t last) {
  std::vector<std::string> all;
  durability::Digest previous{};
  for (std::uint64_t number = 1; number <= last; ++number) {
    const auto segment = log.Read(number, Deadline::Infinite());
    EXPECT_TRUE(segment.ok()) << number;
    if (!segment.ok()) break;
    EXPECT_EQ(segment->header.previous, previous) << number;
    EXPECT_EQ(segment->header.since, 1U) << number;
    previous = segment->digest;
    for (const storage::KeyChange& change : segment->changes) all.push_back(change.entry->value);
  }
  return all;
}

TEST_F(ChangeArchiveTest, AnEndAtAnyStepOfShippingLeavesAWholeLog) {
  // What becomes of each put: it is never made, it fails, it is made and nobody hears of it.
  Kept history(clock_);
  std::vector<std::string> expected;
  const auto target = std::make_shared<TargetDouble>(LogTarget());
  const ChangeLog log(target, "main", {});
  backup_options_.changes.segment_bytes = 40;
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    target->before_put = [&](const ObjectName& name, std::string_view bytes) -> Status {
      switch (random() % 4) {
        case 0:
          return Error(ErrorCode::kUnavailable, "not sent");
        case 1:
          EXPECT_TRUE(LogTarget()->PutNew(name, bytes, Deadline::Infinite()).ok());
          return Error(ErrorCode::kOutcomeUnknown, "the answer was lost");
        default:
          return {};
      }
    };
    for (int i = 0; i < 5; ++i) {
      clock_.Advance(std::chrono::seconds{1});
      if (!Numbers().empty()) {
        expected.push_back(std::to_string(round * 5 + i));
        history.Add(expected.back());
      }
    }
    // Another process each time.
    static_cast<void>(OpenShipper(log, history)->Ship(false, Deadline::Infinite()));
  }
  target->before_put = nullptr;
  const auto shipped = OpenShipper(log, history)->Ship(true, Deadline::Infinite());
  ASSERT_TRUE(shipped.ok());
  EXPECT_EQ(AllOf(log, shipped->number), expected);
}

TEST_F(ChangeArchiveTest, OfSeveralInstancesEachChangeIsShippedOnce) {
  Kept history(clock_);
  const ChangeLog log = Log();
  const auto one = OpenShipper(log, history);
  const auto two = OpenShipper(log, history);
  ASSERT_TRUE(one->Ship(true, Deadline::Infinite()).ok());
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(std::chrono::seconds{1});
    expected.push_back(std::to_string(i));
    history.Add(expected.back());
    ASSERT_TRUE((i % 2 == 0 ? one : two)->Ship(false, Deadline::Infinite()).ok());
    ASSERT_TRUE((i % 3 == 0 ? one : two)->Ship(false, Deadline::Infinite()).ok());
  }
  EXPECT_EQ(AllOf(log, Numbers().back()), expected);
}

TEST_F(ChangeArchiveTest, ReplaysInPassesComeToTheSame) {
  const auto backups = OpenWithLog();
  std::mt19937 random(11);
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = std::to_string(random() % 100);
      if (random() % 3 == 0) {
        Delete(key);
      } else {
        Put(key, durability::Noise(50, static_cast<std::uint32_t>(random())));
      }
    }
  };
  some(200);
  ASSERT_EQ(ErrorOf(Create(*backups, "one")), "");
  some(100);
  ASSERT_TRUE(Ship().ok());
  some(100);
  const Timestamp moment = Moment();
  Content expected;
  for (auto& [key, value] : Rows()) expected[key.substr(5)] = value;
  some(100);
  ASSERT_TRUE(Ship().ok());
  const Catalogue catalogue = OpenCatalogue();
  const Chain chain = OpenChain(catalogue, "one", Deadline::Infinite()).value();
  const ChangeLog log = Log();
  for (const std::size_t most : {std::size_t{1}, std::size_t{2000}, kReplayBytes}) {
    Work work({}, Deadline::Infinite(), {});
    auto source = CheckpointAt(chain, log, moment, catalogue.target(), {}, work, most);
    ASSERT_TRUE(source.ok()) << source.error().ToString();
    auto reader = durability::CheckpointReader::Open(std::move(source).value()).value();
    Content got;
    for (auto page = reader.Next(); page.ok() && !page->empty(); page = reader.Next()) {
      for (const storage::KeyedEntry& item : *page) got[item.key] = item.entry->value;
    }
    EXPECT_EQ(got, expected) << most;
  }
}

TEST_F(ChangeArchiveTest, AnEncryptedLogNeedsItsKey) {
  backup_options_.key = KeyOf('k');
  Put("a", "secret-value");
  const Timestamp moment = FourSegments();
  const auto backups = OpenWithLog();
  for (const std::uint64_t number : Numbers()) {
    EXPECT_THAT(durability::ReadFile(SegmentFile(number)), testing::Not(HasSubstr("default")));
  }
  ASSERT_EQ(ErrorOf(RestoreTo(*backups, moment)), "");
  backup_options_.key = KeyOf('x');
  EXPECT_FALSE(Ship().ok()) << "nothing is shipped behind what cannot be read";
}

TEST_F(ChangeArchiveTest, SegmentsThatNoBackupNeedsGoAndTheLastOneStays) {
  backup_options_.retention.keep_last = 1;
  backup_options_.timeout = std::chrono::minutes{1};
  clock_.JumpTo(SystemClock().Now() + std::chrono::hours{1});  // the target has a clock of its own
  FourSegments();
  EXPECT_EQ(Numbers(), (std::vector<std::uint64_t>{1, 2, 3, 4}));
  const auto again = OpenWithLog();
  ASSERT_EQ(ErrorOf(Create(*again, "two")), "");
  EXPECT_EQ(Numbers(), (std::vector<std::uint64_t>{4}));
  Put("a", "5");
  const Timestamp moment = Moment();
  ASSERT_EQ(ErrorOf(RestoreTo(*again, moment)), "");
  EXPECT_EQ(Rows().at(Key("a")), "5");
}

TEST_F(ChangeArchiveTest, ABackupWithoutAChangeLogSaysThatItCannotBeBroughtToATime) {
  Put("a", "1");
  const auto without = OpenBackups();
  ASSERT_EQ(ErrorOf(Create(*without, "one")), "");
  EXPECT_EQ(CodeOf(RestoreTo(*without, clock_.Now())), ErrorCode::kNotSupported);
  EXPECT_FALSE(without->Window(Deadline::Infinite()).value());
  const auto with = OpenWithLog();
  EXPECT_EQ(CodeOf(RestoreTo(*with, clock_.Now())), ErrorCode::kNotSupported);
}

}  // namespace
}  // namespace holdfast::backup
