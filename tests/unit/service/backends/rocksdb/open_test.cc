#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "service/backends/rocksdb/database.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

RocksDbOptions At(const std::string& path) {
  RocksDbOptions options;
  options.path = path;
  return options;
}

// What is wrong with opening it, or "ok".
std::string OpenCode(const RocksDbOptions& options, const std::string& expected_in_message = "") {
  const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(options);
  if (backend.ok()) return "ok";
  SCOPED_TRACE(backend.error().message());
  EXPECT_NE(std::string::npos, backend.error().message().find(options.path));
  EXPECT_NE(std::string::npos, backend.error().message().find(expected_in_message));
  return std::string(ErrorCodeName(backend.error().code()));
}

TEST(RocksDbOpen, CreatesTheDirectoryAndItsParents) {
  const ScratchDirectory scratch;
  const RocksDbOptions options = At(scratch.Path("a/b/c/"));
  EXPECT_EQ("ok", OpenCode(options));
  EXPECT_EQ("ok", OpenCode(options));
}

TEST(RocksDbOpen, EveryCompressionAndDurabilityOpens) {
  for (const compression::Codec compression :
       {compression::Codec::kNone, compression::Codec::kLz4, compression::Codec::kSnappy, compression::Codec::kZstd}) {
    for (const Durability durability : {Durability::kSync, Durability::kInterval, Durability::kOs}) {
      const ScratchDirectory scratch;
      RocksDbOptions options = At(scratch.Path("db"));
      options.compression.codec = compression;
      options.durability = durability;
      const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(options);
      ASSERT_TRUE(backend.ok()) << backend.error().message();
      EXPECT_TRUE(ExecuteOne(**backend, Operation::Put("k", "v"), Deadline::Infinite()).status.ok());
      EXPECT_EQ(durability == Durability::kSync, (*backend)->capabilities().durable_ack);
    }
  }
}

TEST(RocksDbOpen, AFileInTheWayIsSaidSo) {
  const ScratchDirectory scratch;
  std::ofstream(scratch.Path("file")) << "x";
  EXPECT_EQ("unavailable", OpenCode(At(scratch.Path("file"))));
  EXPECT_EQ("unavailable", OpenCode(At(scratch.Path("file/below"))));
}

TEST(RocksDbOpen, TheSameDirectoryTwiceIsUnavailable) {
  const ScratchDirectory scratch;
  const RocksDbOptions options = At(scratch.Path("db"));
  const Result<std::unique_ptr<Backend>> first = OpenRocksDbBackend(options);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ("unavailable", OpenCode(options, "another process"));
  EXPECT_TRUE(ExecuteOne(**first, Operation::Put("k", "v"), Deadline::Infinite()).status.ok());
}

TEST(RocksDbOpen, WhoStillHasItOpenIsWaitedFor) {
  const ScratchDirectory scratch;
  RocksDbOptions options = At(scratch.Path("db"));
  const Result<std::unique_ptr<Backend>> first = OpenRocksDbBackend(options);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(ExecuteOne(**first, Operation::Put("k", "v"), Deadline::Infinite()).status.ok());
  options.lock_wait = std::chrono::hours(1);
  bool waited = false;
  const auto second = OpenRocksDbBackend(options, SystemClock(), [&] {
    waited = true;
    EXPECT_TRUE((*first)->Close().ok());
    return false;
  });
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(waited);
  EXPECT_EQ("v", ExecuteOne(**second, Operation::Get("k"), Deadline::Infinite()).entry->value);
}

TEST(RocksDbOpen, TheWaitForWhoHasItOpenEndsWhenAsked) {
  const ScratchDirectory scratch;
  RocksDbOptions options = At(scratch.Path("db"));
  const Result<std::unique_ptr<Backend>> first = OpenRocksDbBackend(options);
  ASSERT_TRUE(first.ok());
  options.lock_wait = std::chrono::hours(1);
  const auto second = OpenRocksDbBackend(options, SystemClock(), [] { return true; });
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
}

TEST(RocksDbOpen, ADirectoryAnotherProcessHoldsIsUnavailable) {
  const ScratchDirectory scratch;
  const RocksDbOptions options = At(scratch.Path("db"));
  ASSERT_EQ("ok", OpenCode(options));
  int ready[2];
  int done[2];
  ASSERT_EQ(0, pipe(ready));
  ASSERT_EQ(0, pipe(done));
  // The child only takes the lock RocksDB takes: nothing else is safe after a fork of a process with threads.
  const std::string lock_path = options.path + "/LOCK";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int file = open(lock_path.c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    char byte = fcntl(file, F_SETLK, &lock) == 0 ? '1' : '0';
    (void)!write(ready[1], &byte, 1);
    (void)!read(done[0], &byte, 1);
    _exit(0);
  }
  char locked = 0;
  ASSERT_EQ(1, read(ready[0], &locked, 1));
  EXPECT_EQ('1', locked);
  EXPECT_EQ("unavailable", OpenCode(options, "another process"));
  ASSERT_EQ(1, write(done[1], "x", 1));
  ASSERT_EQ(child, waitpid(child, nullptr, 0));
  EXPECT_EQ("ok", OpenCode(options));
  for (const int end : {ready[0], ready[1], done[0], done[1]}) close(end);
}

std::unique_ptr<rocksdb::DB> Plain(const std::string& path) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  EXPECT_TRUE(rocksdb::DB::Open(options, path, &db).ok());
  return std::unique_ptr<rocksdb::DB>(db);
}

TEST(RocksDbOpen, AStrangersDatabaseIsRefusedAndLeftAlone) {
  const ScratchDirectory scratch;
  const std::string path = scratch.Path("db");
  ASSERT_TRUE(Plain(path)->Put(rocksdb::WriteOptions(), "theirs", "data").ok());
  EXPECT_EQ("failed_precondition", OpenCode(At(path), "another program"));
  std::vector<std::string> families;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::Options(), path, &families).ok());
  EXPECT_EQ(std::vector<std::string>{"default"}, families);
  std::string value;
  EXPECT_TRUE(Plain(path)->Get(rocksdb::ReadOptions(), "theirs", &value).ok());

  const std::string with_families = scratch.Path("families");
  {
    const std::unique_ptr<rocksdb::DB> db = Plain(with_families);
    rocksdb::ColumnFamilyHandle* family = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily(rocksdb::ColumnFamilyOptions(), "theirs", &family).ok());
    ASSERT_TRUE(db->DestroyColumnFamilyHandle(family).ok());
  }
  EXPECT_EQ("failed_precondition", OpenCode(At(with_families), "another program"));
}

TEST(RocksDbOpen, AFirstStartCutShortIsFinished) {
  const ScratchDirectory scratch;
  Plain(scratch.Path("empty"));
  EXPECT_EQ("ok", OpenCode(At(scratch.Path("empty"))));
  // Cut before RocksDB wrote CURRENT.
  std::filesystem::create_directories(scratch.Path("early"));
  std::ofstream(scratch.Path("early/MANIFEST-000001")) << "half";
  EXPECT_EQ("ok", OpenCode(At(scratch.Path("early"))));
}

void Overwrite(const std::string& path, const char* row, const char* value) {
  RocksDbOptions options = At(path);
  Result<std::unique_ptr<Database>> database = OpenDatabase(options, SystemClock(), rocksdb::FileSystem::Default());
  ASSERT_TRUE(database.ok()) << database.error().message();
  rocksdb::WriteOptions sync;
  sync.sync = true;
  ASSERT_TRUE((*database)->db->Put(sync, (*database)->holdfast, row, value).ok());
}

TEST(RocksDbOpen, AnotherFormatIsRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.Path("db");
  Overwrite(path, "format", "2");
  EXPECT_EQ("failed_precondition", OpenCode(At(path), "format 2"));
}

TEST(RocksDbOpen, AnotherOwnerIsRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.Path("db");
  Overwrite(path, "owner", "somebody");
  EXPECT_EQ("failed_precondition", OpenCode(At(path), "another program"));
}

TEST(RocksDbOpen, DataWithoutACurrentFileIsNotStartedAfresh) {
  const ScratchDirectory scratch;
  const std::string path = scratch.Path("db");
  {
    const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(At(path));
    ASSERT_TRUE(backend.ok());
    ASSERT_TRUE(ExecuteOne(**backend, Operation::Put("k", "v"), Deadline::Infinite()).status.ok());
  }
  std::filesystem::rename(path + "/CURRENT", scratch.Path("kept"));
  EXPECT_EQ("corruption", OpenCode(At(path), "CURRENT"));
  std::filesystem::rename(scratch.Path("kept"), path + "/CURRENT");
  const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(At(path));
  ASSERT_TRUE(backend.ok());
  EXPECT_TRUE(ExecuteOne(**backend, Operation::Get("k"), Deadline::Infinite()).status.ok());
}

}  // namespace
}  // namespace holdfast::storage
