#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

TEST_P(Conformance, GetOfAnAbsentKeyIsNotFound) {
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Get("a")).status));
}

TEST_P(Conformance, PutKeepsEveryAttribute) {
  Operation put = Operation::Put("a", "value", {}, Expiry::After(seconds{60}));
  put.content_type = "text/plain; charset=utf-8";
  put.metadata = R"({"source":"kafka","n":[1,2,{"x":null}]})";
  put.tags = {"eu", "", "with,comma", "\xff"};
  EXPECT_FALSE(both().Execute(put).existed);
  const OperationResult got = both().Execute(Operation::Get("a"));
  ASSERT_TRUE(got.entry);
  EXPECT_EQ("value", got.entry->value);
  EXPECT_EQ(put.tags, got.entry->tags);
}

TEST_P(Conformance, PutReplacesEverythingButTheTimeOfCreation) {
  Operation first = Operation::Put("a", "1", {}, Expiry::After(seconds{60}));
  first.content_type = "text/plain";
  first.metadata = "{}";
  first.tags = {"t"};
  both().Execute(first);
  const Timestamp created = clock().Now();
  clock().Advance(seconds{1});
  EXPECT_TRUE(both().Execute(Operation::Put("a", "2")).existed);
  const OperationResult got = both().Execute(Operation::Get("a"));
  ASSERT_TRUE(got.entry);
  EXPECT_EQ(created, got.entry->created_at);
  EXPECT_EQ(clock().Now(), got.entry->updated_at);
  EXPECT_EQ("", got.entry->content_type);
  EXPECT_EQ("", got.entry->metadata);
  EXPECT_TRUE(got.entry->tags.empty());
  EXPECT_FALSE(got.entry->expires_at);
}

TEST_P(Conformance, AnEntryOnceReadNeverChanges) {
  both().Execute(Operation::Put("a", "1"));
  const EntryPtr read = both().Execute(Operation::Get("a")).entry;
  both().Execute(Operation::Put("a", "2"));
  both().Execute(Operation::Delete("a"));
  EXPECT_EQ("1", read->value);
}

TEST_P(Conformance, DeleteIsOkWhetherOrNotTheKeyIsThere) {
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Delete("a")).status));
  both().Execute(Operation::Put("a", "1"));
  EXPECT_TRUE(both().Execute(Operation::Delete("a")).existed);
  EXPECT_FALSE(both().Execute(Operation::Delete("a")).existed);
  both().Execute(Operation::Get("a"));
}

TEST_P(Conformance, TakeGivesTheEntryAndRemovesIt) {
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Take("a")).status));
  both().Execute(Operation::Put("a", "1"));
  EXPECT_EQ("1", both().Execute(Operation::Take("a")).entry->value);
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Take("a")).status));
}

TEST_P(Conformance, TouchChangesTheExpiryAndNothingElse) {
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Touch("a", Expiry::After(seconds{5}))).status));
  const Version version = both().Execute(Operation::Put("a", "1")).version;
  clock().Advance(seconds{1});
  const Version touched = both().Execute(Operation::Touch("a", Expiry::After(seconds{5}))).version;
  EXPECT_EQ(Final("a", version), touched);
  both().Execute(Operation::Get("a"));
  both().Execute(Operation::Touch("a", Expiry::Keep()));
  EXPECT_EQ(clock().Now() + seconds{5}, both().Execute(Operation::Get("a")).entry->expires_at);
  both().Execute(Operation::Touch("a", Expiry::Never()));
  EXPECT_FALSE(both().Execute(Operation::Get("a")).entry->expires_at);
}

TEST_P(Conformance, IncrementCountsFromZeroAndKeepsAttributes) {
  EXPECT_EQ(5, both().Execute(Operation::Increment("n", 5)).number);
  EXPECT_EQ(3, both().Execute(Operation::Increment("n", -2)).number);
  EXPECT_EQ("3", both().Execute(Operation::Get("n")).entry->value);

  Operation put = Operation::Put("m", "-9", {}, Expiry::After(seconds{60}));
  put.content_type = "text/plain";
  put.tags = {"counter"};
  both().Execute(put);
  EXPECT_EQ(-8, both().Execute(Operation::Increment("m", 1)).number);
  both().Execute(Operation::Get("m"));
  both().Execute(Operation::Increment("m", 1, {}, Expiry::Never()));
  EXPECT_FALSE(both().Execute(Operation::Get("m")).entry->expires_at);
}

TEST_P(Conformance, IncrementRefusesWhatIsNoInteger) {
  for (const char* value : {"", " 1", "1 ", "1\n", "+1", "007", "-0", "1.0", "1e3", "0x1", "a", "-",
                            "9223372036854775808", "99999999999999999999999999"}) {
    both().Execute(Operation::Put("n", value));
    EXPECT_EQ("failed_precondition", CodeName(both().Execute(Operation::Increment("n", 1)).status)) << value;
    EXPECT_EQ(value, both().Execute(Operation::Get("n")).entry->value);
  }
}

TEST_P(Conformance, IncrementStopsAtTheEdgesOfItsRange) {
  both().Execute(Operation::Put("n", "9223372036854775807"));
  EXPECT_EQ("failed_precondition", CodeName(both().Execute(Operation::Increment("n", 1)).status));
  EXPECT_EQ(std::numeric_limits<std::int64_t>::max(), both().Execute(Operation::Increment("n", 0)).number);
  both().Execute(Operation::Put("n", "-9223372036854775808"));
  EXPECT_EQ("failed_precondition", CodeName(both().Execute(Operation::Increment("n", -1)).status));
  EXPECT_EQ(-1, both().Execute(Operation::Increment("n", std::numeric_limits<std::int64_t>::max())).number);
  both().Execute(Operation::Get("n"));
}

TEST_P(Conformance, VersionsRiseAcrossDeleteTakeAndExpiry) {
  Version last = 0;
  const auto put = [&] {
    const Version version = both().Execute(Operation::Put("a", "x", {}, Expiry::After(seconds{1}))).version;
    EXPECT_GT(version, last);
    last = version;
  };
  put();
  both().Execute(Operation::Delete("a"));
  put();
  both().Execute(Operation::Take("a"));
  put();
  clock().Advance(seconds{2});
  put();
  put();
}

}  // namespace
}  // namespace holdfast::storage::conformance
