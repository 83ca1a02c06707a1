// One byte changed, or the end cut off, in every file of a copied directory: opening refuses, or every read gives the
// right bytes or says kCorruption. Wrong bytes never; a missing key only where stated.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "service/backends/rocksdb/database.h"
#include "service/backends/rocksdb/entry_codec.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kEntries = 300;

std::string KeyOf(int i) {
  return "key" + std::to_string(i);
}
std::string ValueOf(int i) {
  std::mt19937_64 random(static_cast<std::uint64_t>(i));
  std::string value(400, '\0');
  for (char& byte : value) byte = static_cast<char>(random());
  return value;
}

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void Replace(const fs::path& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

class RocksDbDamage : public testing::Test {
 protected:
  static RocksDbOptions At(const std::string& path) {
    RocksDbOptions options;
    options.path = path;
    options.compression.codec = compression::Codec::kNone;
    options.durability = Durability::kOs;  // the log's bytes are the same, and a copy of the files has them all
    return options;
  }

  // Half of the entries in a table file, half in the log.
  void SetUp() override {
    {
      const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(At(original_));
      ASSERT_TRUE(backend.ok());
      Fill(**backend, 0, kEntries / 2);
    }
    {
      const Result<std::unique_ptr<Database>> database =
          OpenDatabase(At(original_), SystemClock(), rocksdb::FileSystem::Default());
      ASSERT_TRUE(database.ok());
      ASSERT_TRUE((*database)->db->Flush(rocksdb::FlushOptions(), (*database)->entries).ok());
    }
    const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(At(original_));
    ASSERT_TRUE(backend.ok());
    Fill(**backend, kEntries / 2, kEntries);
    // While it runs: what a crash would leave.
    fs::copy(original_, crashed_);
  }

  static void Fill(Backend& backend, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      ASSERT_TRUE(ExecuteOne(backend, Operation::Put(KeyOf(i), ValueOf(i)), Deadline::Infinite()).status.ok());
    }
  }

  struct Outcome {
    bool opened = false;
    int right = 0;
    int corrupt = 0;
    int missing = 0;
  };

  // Opens and reads the copy; wrong bytes are a failure at once.
  Outcome Read(const std::string& path, WalRecovery recovery = WalRecovery::kRefuse) {
    Outcome outcome;
    RocksDbOptions options = At(path);
    options.wal_recovery = recovery;
    const Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(options);
    if (!backend.ok()) {
      EXPECT_NE(ErrorCode::kInternal, backend.error().code()) << backend.error().message();
      return outcome;
    }
    outcome.opened = true;
    for (int i = 0; i < kEntries; ++i) {
      const OperationResult got = ExecuteOne(**backend, Operation::Get(KeyOf(i)), Deadline::Infinite());
      if (got.status.ok()) {
        EXPECT_TRUE(got.entry->value == ValueOf(i)) << "wrong bytes";
        ++outcome.right;
      } else if (got.status.error().code() == ErrorCode::kNotFound) {
        ++outcome.missing;
      } else {
        EXPECT_EQ(ErrorCode::kCorruption, got.status.error().code()) << got.status.error().message();
        ++outcome.corrupt;
      }
    }
    if (outcome.corrupt > 0) {
      EXPECT_FALSE((*backend)->Scan(ScanRequest{{}, false, false, 1000, {}, {}, {}}, Deadline::Infinite()).ok());
    }
    return outcome;
  }

  // The files whose names end so, largest first.
  std::vector<fs::path> Files(const std::string& ending) const {
    std::vector<fs::path> files;
    for (const fs::directory_entry& file : fs::directory_iterator(crashed_)) {
      const std::string name = file.path().filename().string();
      if (name.ends_with(ending) || name.starts_with(ending)) files.push_back(file.path().filename());
    }
    std::sort(files.begin(), files.end(), [this](const fs::path& a, const fs::path& b) {
      return fs::file_size(fs::path(crashed_) / a) > fs::file_size(fs::path(crashed_) / b);
    });
    return files;
  }

  std::string DamagedCopy(const fs::path& file, const std::string& contents) {
    const std::string path = scratch_.Path("damaged");
    fs::remove_all(path);
    fs::copy(crashed_, path);
    Replace(fs::path(path) / file, contents);
    return path;
  }

  const ScratchDirectory scratch_;
  const std::string original_ = scratch_.Path("original");
  const std::string crashed_ = scratch_.Path("crashed");
};

TEST_F(RocksDbDamage, TheUndamagedCopyIsWhole) {
  const Outcome outcome = Read(scratch_.Path("crashed"));
  EXPECT_TRUE(outcome.opened);
  EXPECT_EQ(kEntries, outcome.right);
}

TEST_F(RocksDbDamage, AFlippedByteInATableIsSaidAndNeverRead) {
  const fs::path table = Files(".sst").at(0);
  const std::string whole = Contents(fs::path(crashed_) / table);
  int noticed = 0;
  for (std::size_t at = 11; at < whole.size(); at += whole.size() / 25) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    const Outcome outcome = Read(DamagedCopy(table, damaged));
    EXPECT_EQ(0, outcome.missing) << "at " << at;
    if (!outcome.opened || outcome.corrupt > 0) ++noticed;
  }
  EXPECT_GT(noticed, 15);
}

TEST_F(RocksDbDamage, ATableCutShortIsSaidAndNeverRead) {
  const fs::path table = Files(".sst").at(0);
  const std::string whole = Contents(fs::path(crashed_) / table);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1}) {
    const Outcome outcome = Read(DamagedCopy(table, whole.substr(0, size)));
    EXPECT_EQ(0, outcome.missing);
    EXPECT_TRUE(!outcome.opened || outcome.corrupt > 0) << "size " << size;
  }
}

TEST_F(RocksDbDamage, AFlippedByteInTheLogIsRefusedNotSkipped) {
  const fs::path log = Files(".log").at(0);
  const std::string whole = Contents(fs::path(crashed_) / log);
  int refused = 0;
  int tried = 0;
  for (std::size_t at = 3; at < whole.size() * 9 / 10; at += whole.size() / 40) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x01);
    const Outcome outcome = Read(DamagedCopy(log, damaged));
    ++tried;
    if (!outcome.opened) ++refused;
    EXPECT_EQ(0, outcome.missing) << "an acknowledged write was dropped silently, byte " << at;
  }
  EXPECT_GT(refused, tried * 9 / 10);
}

TEST_F(RocksDbDamage, PointInTimeKeepsWhatStandsBeforeTheDamageWhenAskedFor) {
  const fs::path log = Files(".log").at(0);
  std::string damaged = Contents(fs::path(crashed_) / log);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x01);
  EXPECT_FALSE(Read(DamagedCopy(log, damaged)).opened);
  const Outcome outcome = Read(DamagedCopy(log, damaged), WalRecovery::kPointInTime);
  EXPECT_TRUE(outcome.opened);
  EXPECT_GE(outcome.right, kEntries / 2);
  EXPECT_GT(outcome.missing, 0);
}

// A record cut short is what a crash in the middle of a write leaves; it was never acknowledged.
TEST_F(RocksDbDamage, ALastLogRecordCutShortIsDroppedAndEverythingBeforeItStands) {
  const fs::path log = Files(".log").at(0);
  const std::string whole = Contents(fs::path(crashed_) / log);
  for (std::size_t cut = 1; cut < 400; cut += 23) {
    const Outcome outcome = Read(DamagedCopy(log, whole.substr(0, whole.size() - cut)));
    EXPECT_TRUE(outcome.opened) << "cut " << cut;
    EXPECT_EQ(kEntries - 1, outcome.right) << "cut " << cut;
    EXPECT_EQ(1, outcome.missing);
  }
}

TEST_F(RocksDbDamage, ZerosBehindTheLogAreNoDamage) {
  const fs::path log = Files(".log").at(0);
  const std::string whole = Contents(fs::path(crashed_) / log);
  EXPECT_EQ(kEntries, Read(DamagedCopy(log, whole + std::string(4096, '\0'))).right);
}

TEST_F(RocksDbDamage, AFlippedByteInTheManifestOrCurrentIsRefused) {
  for (const std::string ending : {"MANIFEST-", "CURRENT"}) {
    const fs::path file = Files(ending).at(0);
    const std::string whole = Contents(fs::path(crashed_) / file);
    for (std::size_t at = 0; at < whole.size(); at += whole.size() / 12 + 1) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x04);
      const Outcome outcome = Read(DamagedCopy(file, damaged));
      EXPECT_TRUE(!outcome.opened || outcome.missing == 0) << ending << " byte " << at;
    }
    EXPECT_FALSE(Read(DamagedCopy(file, "")).opened) << ending;
  }
}

TEST_F(RocksDbDamage, AMissingFileIsRefused) {
  for (const std::string ending : {".sst", ".log", "MANIFEST-", "CURRENT"}) {
    const fs::path file = Files(ending).at(0);
    const std::string path = DamagedCopy(file, "");
    fs::remove(fs::path(path) / file);
    const Outcome outcome = Read(path);
    if (ending == ".log") continue;  // see docs/formats/rocksdb-entry.md: only logs that were closed are missed
    EXPECT_TRUE(!outcome.opened || outcome.corrupt > 0) << ending;
    EXPECT_EQ(0, outcome.missing) << ending;
  }
}

// Every kind of file, 60 mutations of each: a byte changed, a run of bytes overwritten, or the end cut off. Read says
// so where bytes are wrong; a key may be missing only where the end of the log or of the MANIFEST is gone, which looks
// like an earlier state of the directory (docs/formats/rocksdb-entry.md).
TEST_F(RocksDbDamage, RandomDamageToAnyFileIsRefusedOrSaidAndNeverRead) {
  const char* given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  std::mt19937_64 random(seed);
  for (const std::string ending : {".sst", ".log", "MANIFEST-", "CURRENT"}) {
    const fs::path file = Files(ending).at(0);
    const std::string whole = Contents(fs::path(crashed_) / file);
    int harmless = 0;
    for (int mutation = 0; mutation < 60; ++mutation) {
      std::string damaged = whole;
      const std::size_t at = random() % whole.size();
      const bool cut = mutation % 3 == 0;
      if (cut) {
        damaged.resize(at);
      } else {
        const std::size_t run = mutation % 3 == 1 ? 1 : 1 + random() % 64;
        for (std::size_t i = at; i < std::min(at + run, damaged.size()); ++i) {
          damaged[i] = static_cast<char>(damaged[i] ^ static_cast<char>(1 + random() % 255));
        }
      }
      const Outcome outcome = Read(DamagedCopy(file, damaged));
      // Where a run reaches a log's last record, that one looks cut short.
      const bool may_look_earlier = (ending == ".log" || ending == "MANIFEST-") && (cut || at + 600 > whole.size());
      if (!may_look_earlier) {
        EXPECT_EQ(0, outcome.missing) << ending << " byte " << at << ", seed " << seed;
      }
      if (outcome.right == kEntries) ++harmless;
    }
    EXPECT_LT(harmless, 30) << ending << ": the damage does not reach what matters";
  }
}

// Past RocksDB's own checksum, as a fault in memory would: the entry's checksum is the second line.
TEST_F(RocksDbDamage, AnEntryDamagedBeforeRocksDbSawItIsSaidByEveryCall) {
  const std::string path = scratch_.Path("memory fault");
  {
    const Result<std::unique_ptr<Database>> database =
        OpenDatabase(At(path), SystemClock(), rocksdb::FileSystem::Default());
    ASSERT_TRUE(database.ok());
    Entry entry;
    entry.value = "value";
    const EncodedEntry encoded = EncodeEntry("k", entry);
    const std::string row = std::string(encoded.Head()).append("vAlue").append(encoded.Tail());
    ASSERT_TRUE((*database)->db->Put(rocksdb::WriteOptions(), (*database)->entries, "k", row).ok());
  }
  const Result<std::unique_ptr<Backend>> opened = OpenRocksDbBackend(At(path));
  ASSERT_TRUE(opened.ok());
  Backend& backend = **opened;
  for (const Operation& operation :
       {Operation::Get("k"), Operation::Take("k"), Operation::Put("k", "new"), Operation::Delete("k"),
        Operation::Touch("k", Expiry::Never()), Operation::Increment("k", 1)}) {
    const OperationResult result = ExecuteOne(backend, operation, Deadline::Infinite());
    ASSERT_FALSE(result.status.ok());
    EXPECT_EQ(ErrorCode::kCorruption, result.status.error().code());
  }
  const Result<ScanPage> page = backend.Scan(ScanRequest{}, Deadline::Infinite());
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(ErrorCode::kCorruption, page.error().code());
  Transaction transaction;
  transaction.then = {Operation::Put("other", "1"), Operation::Get("k")};
  EXPECT_FALSE(backend.Transact(transaction, Deadline::Infinite()).ok());
  EXPECT_EQ(ErrorCode::kNotFound,
            ExecuteOne(backend, Operation::Get("other"), Deadline::Infinite()).status.error().code());

  // Its neighbours in a batch are not drawn in.
  const std::vector<Operation> operations = {Operation::Put("a", "1"), Operation::Put("k", "1"),
                                             Operation::Put("b", "1")};
  std::vector<OperationResult> results(3);
  backend.Execute(operations, results, Deadline::Infinite());
  EXPECT_TRUE(results[0].status.ok());
  EXPECT_FALSE(results[1].status.ok());
  EXPECT_TRUE(results[2].status.ok());
}

}  // namespace
}  // namespace holdfast::storage
