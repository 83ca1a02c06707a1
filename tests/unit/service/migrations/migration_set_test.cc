#include "service/migrations/migration_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::migrations {
namespace {

using testing::HasSubstr;

std::string Refusal(const std::vector<SourceFile>& files) {
  const auto set = MigrationSet::Make(files);
  return set.ok() ? "accepted" : set.error().message();
}

constexpr SourceFile kUp{"0001_one.up.sql", "CREATE TABLE t (a int);"};
constexpr SourceFile kDown{"0001_one.down.sql", "DROP TABLE t;"};

TEST(MigrationSet, built_in_files_are_in_order_and_whole) {
  const MigrationSet& set = MigrationSet::BuiltIn();
  ASSERT_GE(set.latest(), 13);
  EXPECT_EQ(set.at(1).name, "entries");
  EXPECT_TRUE(set.at(1).down.destroys_data);
  for (int number = 1; number <= set.latest(); ++number) {
    EXPECT_EQ(set.at(number).number, number);
    EXPECT_EQ(set.at(number).up.checksum.size(), 64u);
    EXPECT_FALSE(number > 1 && set.at(number).down.destroys_data) << set.at(number).down.file;
  }
}

TEST(MigrationSet, files_come_in_any_order) {
  const auto set = MigrationSet::Make({kDown, kUp});
  ASSERT_TRUE(set.ok()) << set.error().message();
  EXPECT_EQ(set->latest(), 1);
  EXPECT_EQ(set->at(1).up.file, "0001_one.up.sql");
  // sha256sum of the text.
  EXPECT_EQ(set->at(1).down.checksum, "25dbe681998eeb28652fb3a57b6f0f1b4c66046d0f170f9cecfe9a2c1ec48a9a");
}

TEST(MigrationSet, gaps_doubles_and_halves_are_refused_by_name) {
  EXPECT_THAT(Refusal({kUp}), HasSubstr("0001_one: there is an up file and no down file"));
  EXPECT_THAT(Refusal({kDown}), HasSubstr("0001_one: there is a down file and no up file"));
  EXPECT_THAT(Refusal({kUp, kDown, {"0003_three.up.sql", "SELECT 1"}, {"0003_three.down.sql", "SELECT 1"}}),
              HasSubstr("0003_three: number 0002 is missing in front of it"));
  EXPECT_THAT(Refusal({kUp, kDown, {"0001_other.up.sql", "SELECT 1"}}),
              HasSubstr("0001_other.up.sql: number 0001 is also that of one"));
  EXPECT_THAT(Refusal({{"0000_zero.up.sql", "SELECT 1"}, {"0000_zero.down.sql", "SELECT 1"}}), HasSubstr("0001"));
}

TEST(MigrationSet, names_are_of_one_form) {
  for (const char* name : {"1_one.up.sql", "0001_One.up.sql", "0001-one.up.sql", "0001_one.sql", "0001_.up.sql",
                           "0001_one.sideways.sql", "00001_one.up.sql"}) {
    EXPECT_THAT(Refusal({{name, "SELECT 1"}}), HasSubstr("the name must be NNNN_name.up.sql")) << name;
  }
}

TEST(MigrationSet, statements_that_would_leave_the_transaction_are_refused_with_their_line) {
  for (const char* sql : {"\nCOMMIT", "\nbegin;", "\nROLLBACK", "\nEND", "\nSTART TRANSACTION", "\nSAVEPOINT a",
                          "\nPREPARE TRANSACTION 'x'", "\nSET search_path = other", "\nset local work_mem = '1MB'",
                          "\nRESET ALL", "\nDISCARD ALL", "\nVACUUM t", "\nCREATE INDEX CONCURRENTLY i ON t (a)"}) {
    EXPECT_THAT(Refusal({kDown, {"0001_one.up.sql", sql}}), HasSubstr("0001_one.up.sql: line 2: ")) << sql;
  }
  EXPECT_EQ(
      Refusal({kDown, {"0001_one.up.sql", "PREPARE p AS SELECT 1; CREATE TABLE commit (a int); SELECT 'COMMIT'"}}),
      "accepted");
}

TEST(MigrationSet, without_a_transaction_only_what_can_be_repeated) {
  const SourceFile down{"0001_one.down.sql", "-- holdfast: no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS i"};
  const auto up = [](const char* text) { return SourceFile{"0001_one.up.sql", text}; };
  EXPECT_EQ(Refusal({down, up("-- holdfast: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a); "
                              "VACUUM t; ANALYZE t")}),
            "accepted");
  for (const char* text : {"-- holdfast: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a)",
                           "-- holdfast: no-transaction\nCREATE TABLE IF NOT EXISTS t (a int)",
                           "-- holdfast: no-transaction\nINSERT INTO t VALUES (1)"}) {
    EXPECT_THAT(Refusal({down, up(text)}), HasSubstr("cannot be repeated after an interruption")) << text;
  }
  EXPECT_THAT(Refusal({down, up("SELECT 1")}), HasSubstr("when one of the two files is marked no-transaction"));
}

TEST(MigrationSet, marks_that_nobody_knows_and_empty_files_are_refused) {
  EXPECT_THAT(Refusal({kDown, {"0001_one.up.sql", "-- holdfast: notransaction\nSELECT 1"}}),
              HasSubstr("unknown mark \"notransaction\""));
  EXPECT_THAT(Refusal({kDown, {"0001_one.up.sql", "-- nothing\n;"}}), HasSubstr("holds no statement"));
  EXPECT_THAT(Refusal({kDown, {"0001_one.up.sql", "SELECT 'a"}}),
              HasSubstr("0001_one.up.sql: line 1: a string is not"));
}

}  // namespace
}  // namespace holdfast::migrations
