// What is to be altered for the values of a schema, and what is in the way; whether it works is tested on a server.
#include "service/migrations/value_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

FoundValueStorage AsMigrated() {
  FoundValueStorage found;
  found.there = true;
  found.has_lz4 = true;
  found.is_owner = true;
  found.role = "app";
  found.owner = "app";
  return found;
}

std::vector<std::string> Plan(const FoundValueStorage& found, const ValueStorage& wanted,
                              const std::string& schema = "holdfast") {
  auto plan = PlanValueStorage(found, wanted, schema);
  EXPECT_TRUE(plan.ok()) << plan.error().message();
  return plan.ok() ? *plan : std::vector<std::string>{};
}

std::string Refusal(const FoundValueStorage& found, const ValueStorage& wanted,
                    ErrorCode code = ErrorCode::kFailedPrecondition) {
  const auto plan = PlanValueStorage(found, wanted, "holdfast");
  EXPECT_FALSE(plan.ok());
  if (plan.ok()) return "";
  EXPECT_EQ(plan.error().code(), code);
  return plan.error().message();
}

TEST(PlanValueStorage, NamesWhatIsMissingAndNothingElse) {
  FoundValueStorage found = AsMigrated();
  EXPECT_THAT(Plan(found, {}), IsEmpty());
  EXPECT_THAT(Plan(found, {ValueCompression::kLz4, 4096}, "odd \"one"),
              ElementsAre("ALTER TABLE \"odd \"\"one\".entries ALTER COLUMN value SET COMPRESSION lz4",
                          "ALTER TABLE \"odd \"\"one\".entries SET (toast_tuple_target = 4096)"));
  EXPECT_THAT(Plan(found, {ValueCompression::kNone, {}}),
              ElementsAre("ALTER TABLE \"holdfast\".entries ALTER COLUMN value SET STORAGE EXTERNAL"));
  found.compression = 'l';
  found.tuple_target = 4096;
  EXPECT_THAT(Plan(found, {ValueCompression::kLz4, 4096}), IsEmpty());
  found.storage = 'e';
  EXPECT_THAT(Plan(found, {ValueCompression::kNone, 4096}), IsEmpty());
  EXPECT_THAT(Plan(found, {ValueCompression::kPglz, 128}),
              ElementsAre("ALTER TABLE \"holdfast\".entries ALTER COLUMN value SET STORAGE EXTENDED",
                          "ALTER TABLE \"holdfast\".entries ALTER COLUMN value SET COMPRESSION pglz",
                          "ALTER TABLE \"holdfast\".entries SET (toast_tuple_target = 128)"));
}

TEST(PlanValueStorage, SaysWhatIsInTheWayAndTheRemedy) {
  FoundValueStorage found = AsMigrated();
  found.has_lz4 = false;
  EXPECT_THAT(Refusal(found, {ValueCompression::kLz4, {}}), HasSubstr("built without LZ4; choose pglz or none"));
  EXPECT_THAT(Plan(found, {ValueCompression::kPglz, {}}), testing::SizeIs(1));
  found = AsMigrated();
  found.is_owner = false;
  found.owner = "migrator";
  EXPECT_THAT(Refusal(found, {{}, 4096}, ErrorCode::kUnavailable),
              testing::AllOf(HasSubstr("belongs to migrator"), HasSubstr("`holdfast migrate up`")));
  found.tuple_target = 4096;
  EXPECT_THAT(Plan(found, {{}, 4096}), IsEmpty()) << "another has done it";
  found.there = false;
  EXPECT_THAT(Refusal(found, {{}, 4096}), HasSubstr("holdfast migrate up"));
  EXPECT_THAT(Plan(found, {}), IsEmpty()) << "nothing is asked for";
}

}  // namespace
}  // namespace holdfast::migrations
