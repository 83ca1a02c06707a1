// Backups of another deployment: what is restored from them, and that nothing of theirs ever changes.
#include "service/backup/source_backups.h"

#include <gmock/gmock.h>

#include "service/storage/listened_history.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using storage::BackupRun;
using testing::ElementsAre;
using testing::HasSubstr;

// The fixture's store "main" is that of the other deployment, the store "copy" is restored into.
class SourceBackupsTest : public BackupFixture {
 protected:
  using Tree = std::map<std::string, std::string>;

  SourceBackupsTest() { backend_->SetChangeListener(history_); }

  std::filesystem::path Place() const { return folder_ / "backups"; }
  Tree TreeOf(const std::filesystem::path& folder) const {
    Tree tree;
    if (!std::filesystem::exists(folder)) return tree;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      tree[entry.path().string()] = entry.is_regular_file() ? durability::ReadFile(entry.path()) : "";
    }
    return tree;
  }
  // The other deployment.
  std::unique_ptr<Backups> OpenOther() {
    return std::make_unique<Backups>(Source{backend_, "main"}, OpenTarget(), checkpoints(), backup_options_, clock_,
                                     registry_, nullptr,
                                     ChangePlace{MakeFolderTarget(Place().string(), "main.changes"), history_});
  }
  // This one; its own place, if it has one, is another one.
  std::unique_ptr<Backups> OpenCopy(bool place = true) {
    if (!copy_checkpoints_) {
      durability::CheckpointOptions options = options_;
      options.directory = (folder_ / "copy-checkpoints").string();
      copy_checkpoints_ = std::make_shared<durability::Checkpoints>(copy_, "copy", options, clock_, registry_);
      EXPECT_TRUE(copy_checkpoints_->Recover([] { return false; }).ok());
    }
    BackupOptions options = backup_options_;
    options.key.reset();
    options.source = SourceOptions{Place().string(), std::nullopt, key_};
    auto source = std::make_unique<SourcePlace>(
        [this](const std::string& part) {
          auto target = std::make_unique<TargetDouble>(MakeFolderTarget(Place().string(), part));
          target->before_get = before_get_;
          return target;
        },
        options, clock_, registry_);
    return std::make_unique<Backups>(Source{copy_, "copy"}, place ? OwnTarget() : nullptr, copy_checkpoints_, options,
                                     clock_, registry_, nullptr, ChangePlace{}, std::move(source));
  }
  std::unique_ptr<Target> OwnTarget() const { return MakeFolderTarget((folder_ / "own").string(), "copy"); }

  static BackupRun DoOfSource(Backups& backups, BackupAction action, const std::string& id,
                              const std::string& store = "main") {
    const auto source = backups.OfSource(store);
    return source.ok() ? Await(backups, (*source)->Begin(action, id)) : Refused(source.error());
  }
  static BackupRun RestoreTo(Backups& backups, Timestamp to) {
    const auto source = backups.OfSource("main");
    if (!source.ok()) return Refused(source.error());
    const auto begun = (*source)->BeginRestoreTo(to, "", Deadline::Infinite());
    return begun.ok() ? Await(backups, begun) : Refused(begun.error());
  }
  static BackupRun Refused(const Error& error) {
    BackupRun run;
    run.error = error;
    return run;
  }

  // By their keys without the store's name.
  static Tree ContentOf(storage::Backend& backend, const std::string& store) {
    Tree rows;
    const auto snapshot = backend.OpenSnapshot(storage::KeyRange::Prefix(store + '\0'), Deadline::Infinite()).value();
    for (auto some = snapshot->Next(Deadline::Infinite()); some.ok() && !some->empty();
         some = snapshot->Next(Deadline::Infinite())) {
      for (const storage::KeyedEntry& item : *some) rows[item.key.substr(store.size())] = item.entry->value;
    }
    return rows;
  }
  Tree Theirs() { return ContentOf(*backend_, "main"); }
  Tree Copy() { return ContentOf(*copy_, "copy"); }
  void PutIntoCopy(const std::string& key, const std::string& value) {
    const auto wrapped = storage::KeySpace("copy", "default").In(storage::Room::kKeys).Wrap(key);
    ASSERT_TRUE(storage::ExecuteOne(*copy_, storage::Operation::Put(wrapped, value), Deadline::Infinite()).status.ok());
  }
  // One byte in the middle of the first object of a backup.
  void Damage(const std::string& id) const {
    for (const std::string& name : FilesOf(id)) {
      if (!name.ends_with("-00000001")) continue;
      std::string bytes = durability::ReadFile(BackupFolder(id) / name);
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
      durability::WriteFile(BackupFolder(id) / name, bytes);
    }
  }

  std::shared_ptr<storage::ListenedHistory> history_ =
      std::make_shared<storage::ListenedHistory>(std::string("main\0", 5), std::size_t{1} << 20, clock_);
  std::shared_ptr<storage::Backend> copy_ = storage::MakeMemoryBackend({}, clock_);
  std::shared_ptr<durability::Checkpoints> copy_checkpoints_;
  std::optional<BackupKey> key_;                            // of the source
  std::function<void(const ObjectName& name)> before_get_;  // likewise; before there are backups
};

TEST_F(SourceBackupsTest, a_backup_of_another_store_is_restored_and_all_of_theirs_is_as_it_was) {
  PutSome("theirs");
  const auto other = OpenOther();
  ASSERT_EQ(ErrorOf(Create(*other, "one")), "");
  Put("later", "not in it");
  ASSERT_EQ(ErrorOf(Do(*other, BackupAction::kIncrement, "two")), "");
  const Tree theirs = TreeOf(Place());
  const auto backups = OpenCopy();
  PutIntoCopy("own", "before");
  const Tree before = Copy();

  const auto source = backups->OfSource("main");
  ASSERT_TRUE(source.ok());
  EXPECT_THAT(IdsOf(*(*source)->List(Deadline::Infinite())), ElementsAre("one", "two"));
  EXPECT_EQ((*source)->Get("two", Deadline::Infinite())->parent, "one");
  const BackupRun verified = DoOfSource(*backups, BackupAction::kVerify, "two");
  ASSERT_EQ(ErrorOf(verified), "");
  EXPECT_EQ(verified.info->id, "two");
  const BackupRun restored = DoOfSource(*backups, BackupAction::kRestore, "two");
  ASSERT_EQ(ErrorOf(restored), "");
  EXPECT_EQ(restored.source, "main");
  EXPECT_EQ(restored.restored->restored, 5u);
  EXPECT_EQ(restored.restored->deleted, 1u);
  EXPECT_EQ(Copy(), Theirs());
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kRestore, "one")), "");
  EXPECT_EQ(Copy().size(), 4u);

  // What is made and removed here is our own, also under a name that is there.
  ASSERT_EQ(ErrorOf(Create(*backups, "one")), "");
  ASSERT_EQ(ErrorOf(Do(*backups, BackupAction::kPrune)), "");
  ASSERT_TRUE(backups->Delete("one", Deadline::Infinite()).ok());
  EXPECT_EQ(TreeOf(Place()), theirs);

  // And back.
  ASSERT_TRUE(copy_checkpoints_->Restore(restored.restored->undo, Deadline::Infinite()).ok());
  EXPECT_EQ(Copy(), before);
}

TEST_F(SourceBackupsTest, a_time_is_restored_by_the_changes_that_lie_there) {
  const auto other = OpenOther();
  Put("k", "1");
  ASSERT_EQ(ErrorOf(Create(*other, "one")), "");
  Put("k", "2");
  Put("more", "2");
  clock_.Advance(std::chrono::milliseconds{1});
  const Timestamp moment = clock_.Now();
  const Tree then = Theirs();
  clock_.Advance(std::chrono::milliseconds{1});
  Put("k", "3");
  // The next backup ships what there is.
  ASSERT_EQ(ErrorOf(Create(*other, "two")), "");
  const Tree theirs = TreeOf(Place());

  const auto backups = OpenCopy();
  const auto window = (*backups->OfSource("main"))->Window(Deadline::Infinite());
  ASSERT_TRUE(window.ok() && *window);
  EXPECT_LE((*window)->earliest, moment);
  EXPECT_GE((*window)->latest, moment);
  const BackupRun run = RestoreTo(*backups, moment);
  ASSERT_EQ(ErrorOf(run), "");
  EXPECT_EQ(run.backup, "one");
  EXPECT_EQ(Copy(), then);
  // The control: without a time it is what the backup holds.
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kRestore, "two")), "");
  EXPECT_EQ(Copy(), Theirs());
  EXPECT_EQ(CodeOf(RestoreTo(*backups, clock_.Now() + std::chrono::hours{1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(RestoreTo(*backups, Timestamp{})), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(TreeOf(Place()), theirs);
}

TEST_F(SourceBackupsTest, damage_there_is_found_before_anything_changes_here_and_not_recorded_there_fault) {
  PutSome("theirs");
  ASSERT_EQ(ErrorOf(Create(*OpenOther(), "one")), "");
  const auto backups = OpenCopy();
  PutIntoCopy("own", "before");
  // The control.
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kVerify, "one")), "");
  Damage("one");
  const Tree theirs = TreeOf(Place());
  const Tree before = Copy();
  for (const BackupAction action : {BackupAction::kRestore, BackupAction::kVerify}) {
    EXPECT_EQ(CodeOf(DoOfSource(*backups, action, "one")), ErrorCode::kCorruption);
    EXPECT_EQ(Copy(), before);
  }
  // Their own would be verified no more.
  EXPECT_EQ(TreeOf(Place()), theirs);
  ASSERT_TRUE((*(*backups->OfSource("main"))->List(Deadline::Infinite())).front().verified_at);
}

TEST_F(SourceBackupsTest, a_damaged_change_there_is_found_before_anything_changes_here_fault) {
  const auto other = OpenOther();
  Put("k", "1");
  ASSERT_EQ(ErrorOf(Create(*other, "one")), "");
  Put("k", "2");
  clock_.Advance(std::chrono::milliseconds{1});
  const Timestamp moment = clock_.Now();
  clock_.Advance(std::chrono::milliseconds{1});
  ASSERT_EQ(ErrorOf(Create(*other, "two")), "");
  const auto backups = OpenCopy();
  // The control.
  ASSERT_EQ(ErrorOf(RestoreTo(*backups, moment)), "");
  PutIntoCopy("own", "before");
  const Tree before = Copy();
  const auto segment = Place() / "main.changes" / "log" / SegmentName(2);
  std::string bytes = durability::ReadFile(segment);
  ASSERT_FALSE(bytes.empty());
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  durability::WriteFile(segment, bytes);
  const Tree theirs = TreeOf(Place());
  EXPECT_EQ(CodeOf(RestoreTo(*backups, moment)), ErrorCode::kCorruption);
  EXPECT_EQ(Copy(), before);
  EXPECT_EQ(TreeOf(Place()), theirs);
}

TEST_F(SourceBackupsTest, one_that_its_owner_removes_while_it_is_read_changes_nothing_here_fault) {
  PutSome("theirs");
  const auto other = OpenOther();
  ASSERT_EQ(ErrorOf(Create(*other, "one")), "");
  bool removes = false;
  before_get_ = [&](const ObjectName& name) {
    const bool first = name.object.ends_with("-00000001");
    if (!removes || !first) return;
    removes = false;
    EXPECT_TRUE(other->Delete("one", Deadline::Infinite()).ok());
  };
  const auto backups = OpenCopy();
  // The control.
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kRestore, "one")), "");
  PutIntoCopy("own", "before");
  const Tree before = Copy();
  removes = true;
  EXPECT_EQ(CodeOf(DoOfSource(*backups, BackupAction::kRestore, "one")), ErrorCode::kNotFound);
  EXPECT_FALSE(removes);
  EXPECT_EQ(Copy(), before);
}

TEST_F(SourceBackupsTest, the_key_is_that_of_the_source) {
  backup_options_.key = KeyOf('k');
  PutSome("theirs");
  ASSERT_EQ(ErrorOf(Create(*OpenOther(), "one")), "");
  const std::vector<std::pair<std::optional<BackupKey>, std::string>> wrong = {
      {std::nullopt, "name the file with its key in backups.source.key_file"},
      {KeyOf('x'), "the key in backups.source.key_file is not the one"}};
  for (const auto& [key, why] : wrong) {
    key_ = key;
    const BackupRun run = DoOfSource(*OpenCopy(), BackupAction::kRestore, "one");
    EXPECT_EQ(CodeOf(run), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(ErrorOf(run), HasSubstr(why));
    EXPECT_TRUE(Copy().empty());
  }
  key_ = KeyOf('k');
  const auto backups = OpenCopy();
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kRestore, "one")), "");
  EXPECT_EQ(Copy(), Theirs());
  // The key is none of what is made here.
  ASSERT_EQ(ErrorOf(Create(*backups, "ours")), "");
  EXPECT_FALSE(backups->Get("ours", Deadline::Infinite())->encrypted);
}

TEST_F(SourceBackupsTest, what_is_not_there_is_said) {
  PutSome("theirs");
  ASSERT_EQ(ErrorOf(Create(*OpenOther(), "one")), "");
  const auto backups = OpenCopy();
  const auto unknown = backups->OfSource("mian");
  ASSERT_TRUE(unknown.ok());
  const auto listed = (*unknown)->List(Deadline::Infinite());
  ASSERT_FALSE(listed.ok());
  EXPECT_EQ(listed.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(listed.error().message(), HasSubstr("no backups of a store mian in folder " + Place().string()));
  EXPECT_EQ((*unknown)->BeginRestoreTo(clock_.Now(), "", Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ((*unknown)->Window(Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  const auto none = (*backups->OfSource("main"))->Get("two", Deadline::Infinite());
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message(), HasSubstr(Place().string()));
  EXPECT_EQ(CodeOf(DoOfSource(*backups, BackupAction::kRestore, "two")), ErrorCode::kNotFound);
  for (const std::string name : {"", "..", "main/../other", "main.changes", "Main", "/etc"}) {
    const auto refused = backups->OfSource(name);
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument) << name;
  }
  for (const BackupAction action :
       {BackupAction::kCreate, BackupAction::kIncrement, BackupAction::kDrill, BackupAction::kPrune}) {
    const auto refused = (*backups->OfSource("main"))->Begin(action, "one");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  }
  // And a store that names none.
  const auto other = OpenOther()->OfSource("main");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), ErrorCode::kNotSupported);
  EXPECT_THAT(other.error().message(), HasSubstr("backups.source.directory"));
}

TEST_F(SourceBackupsTest, a_store_without_a_place_of_its_own_can_restore_them) {
  PutSome("theirs");
  ASSERT_EQ(ErrorOf(Create(*OpenOther(), "one")), "");
  const auto backups = OpenCopy(/*place=*/false);
  backups->Start();
  EXPECT_FALSE(backups->HasPlace());
  ASSERT_EQ(ErrorOf(DoOfSource(*backups, BackupAction::kRestore, "one")), "");
  EXPECT_EQ(Copy(), Theirs());
  for (const Error& refused :
       {backups->Begin(BackupAction::kCreate, "one").error(), backups->Begin(BackupAction::kPrune, "").error(),
        backups->BeginRestoreTo(clock_.Now(), "", Deadline::Infinite()).error(),
        backups->List(Deadline::Infinite()).error(), backups->Get("one", Deadline::Infinite()).error(),
        backups->Delete("one", Deadline::Infinite()).error()}) {
    EXPECT_EQ(refused.code(), ErrorCode::kNotSupported);
    EXPECT_THAT(refused.message(), HasSubstr("backups.directory"));
  }
  backups->Stop();
}

TEST(RunTable, a_backup_of_another_deployment_keeps_none_of_ours) {
  const ManualClock clock;
  RunTable table(clock);
  BackupRun wanted;
  wanted.action = BackupAction::kRestore;
  wanted.backup = "one";
  wanted.source = "main";
  table.Add(wanted);
  EXPECT_TRUE(table.InUse().empty());
  wanted.source.clear();
  table.Add(wanted);
  EXPECT_THAT(table.InUse(), ElementsAre("one"));
}

}  // namespace
}  // namespace holdfast::backup
