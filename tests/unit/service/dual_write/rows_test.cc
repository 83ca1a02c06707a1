#include "service/dual_write/rows.h"

#include <gtest/gtest.h>

#include "service/dual_write/progress.h"
#include "service/storage/key_space.h"

namespace holdfast::dual_write {
namespace {

using std::string_literals::operator""s;

TEST(MigrationRows, AreInNoStoreAndNamesKeepThemApart) {
  const Rows rows("main");
  for (const std::string& key :
       {rows.Phase(), rows.Driver(), rows.Progress(), rows.Fence(3), rows.Mark("k"), rows.Intent("ab", "k")}) {
    EXPECT_TRUE(rows.Contains(key));
    EXPECT_FALSE(storage::FindPlace(key)) << key;
    EXPECT_FALSE(Rows("main2").Contains(key));
    EXPECT_FALSE(Rows("mai").Contains(key));
  }
}

TEST(MigrationRows, AnIntentNamesItsKeyWhateverBytesThatHas) {
  const Rows rows("main");
  for (const std::string& key : {"k"s, "a\0b"s, "\0\0"s, "\xff\x01"s}) {
    EXPECT_EQ(key, rows.KeyOfIntent(rows.Intent("0123abcd", key)));
  }
}

TEST(MigrationRows, AMarkComesBackAsItWasWritten) {
  storage::Entry entry;
  entry.value = "v";
  entry.version = ~std::uint64_t{0};
  entry.created_at = Timestamp{std::chrono::microseconds{-5}};
  entry.updated_at = Timestamp{std::chrono::microseconds{1'700'000'000'000'001}};
  const Mark mark = Mark::Of(std::make_shared<const storage::Entry>(entry));
  EXPECT_EQ(mark, Mark::Decode(mark.Encode()));
  EXPECT_EQ(Mark{}, Mark::Decode(Mark{}.Encode()));
  EXPECT_FALSE(Mark::Decode(""));
  EXPECT_FALSE(Mark::Decode("1 2 x"));
}

TEST(MigrationRows, AFingerprintIsOfEveryFieldAndOfWhereItEnds) {
  storage::Entry entry;
  entry.value = "ab";
  entry.tags = {"c"};
  const std::uint64_t whole = Fingerprint(entry);
  storage::Entry other = entry;
  other.version = 9;  // not of the version
  EXPECT_EQ(whole, Fingerprint(other));
  other.value = "a";
  other.content_type = "b";
  EXPECT_NE(whole, Fingerprint(other));
  other = entry;
  other.expires_at = Timestamp{std::chrono::seconds{1}};
  EXPECT_NE(whole, Fingerprint(other));
  other = entry;
  other.tags = {"c", ""};
  EXPECT_NE(whole, Fingerprint(other));
}

TEST(MigrationRows, ProgressComesBackWithAnyCursor) {
  Progress progress{"00ff", 10, 7, 3, 1, true, "a\0\n b"s};
  EXPECT_EQ(progress, Progress::Decode(progress.Encode()));
  EXPECT_FALSE(Progress::Decode("00ff 1 2"));
}

TEST(MigrationRows, WhatTheMirrorWritesAtOnceFitsIntoTheLimits) {
  storage::Limits limits;
  limits.max_operations = 7;
  EXPECT_GE(KeysPerTransaction(WithRoomForRows(limits)), 7u);
  EXPECT_GE(WithRoomForRows(limits).max_key_bytes,
            limits.max_key_bytes + Rows(std::string(63, 's')).Intent(std::string(32, 'i'), "").size());
}

}  // namespace
}  // namespace holdfast::dual_write
