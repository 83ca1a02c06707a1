#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

std::vector<KeyRange> Ranges() {
  const auto between = [](std::string start, std::string end) { return KeyRange{std::move(start), std::move(end)}; };
  return {KeyRange::All(),
          KeyRange::Prefix(""),
          KeyRange::Prefix("b"),
          KeyRange::Prefix("b\xff"),
          KeyRange::Prefix("\xff"),
          KeyRange::Prefix("\xff\xff"),
          KeyRange::Prefix("none"),
          KeyRange{"b1", std::nullopt},
          between("", "b"),
          between("a", "b\xff"),
          between("b", "b"),
          between("c", "a"),
          between("b1", std::string("b1\0", 3))};
}

void PutSome(Comparison& both) {
  std::vector<Operation> puts;
  for (const char* key : {"a", "a1", "b", "b1", "b10", "b2", "b\xff", "b\xff\xff",
                          "b\xff"
                          "a",
                          "c", "\xff", "\xff\xff", "\xff\xff\xff", "z"}) {
    Operation put = Operation::Put(key, std::string(key) + " value");
    put.metadata = "{}";
    puts.push_back(put);
  }
  puts.push_back(Operation::Put(std::string(1, '\0'), "zero"));
  puts.push_back(Operation::Put("b5", "expires", {}, Expiry::After(seconds{1})));
  puts.push_back(Operation::Put("zz", "expires last", {}, Expiry::After(seconds{1})));
  both.Execute(puts);
}

TEST_P(Conformance, ScansOfEveryRangeWithEveryPageSize) {
  PutSome(both());
  for (const bool expired : {false, true}) {
    for (const KeyRange& range : Ranges()) {
      for (const std::size_t limit : {1u, 2u, 3u, 5u, 16u, 17u, 100u}) both().ScanAll(range, limit);
    }
    if (!expired) clock().Advance(seconds{1});
  }
}

TEST_P(Conformance, AScanGoesOnBehindAnyKeyWhetherItExistsOrNot) {
  PutSome(both());
  for (const KeyRange& range : Ranges()) {
    for (const std::string& after : {std::string(), std::string("a"), std::string("b0"), std::string("b1"),
                                     std::string("b\xff"), std::string("zzz"), std::string(600, '\xff')}) {
      for (const bool descending : {false, true}) {
        ScanRequest request;
        request.range = range;
        request.after = after;
        request.descending = descending;
        const Result<ScanPage> page = backend().Scan(request, Deadline::Infinite());
        ASSERT_TRUE(page.ok()) << page.error().ToString();
        std::vector<std::string> expected;
        for (const auto& [key, entry] : both().model().Live(range, clock().Now())) {
          if (descending ? key < after : key > after) expected.push_back(key);
        }
        if (descending) std::reverse(expected.begin(), expected.end());
        std::vector<std::string> actual;
        for (const KeyedEntry& entry : page->entries) actual.push_back(entry.key);
        EXPECT_EQ(expected, actual) << Printable(range.start) << " after " << Printable(after);
        EXPECT_TRUE(page->complete);
      }
    }
  }
}

TEST_P(Conformance, CountAndScanOfNothing) {
  for (const KeyRange& range : Ranges()) both().ScanAll(range, 10);
}

TEST_P(Conformance, AScanLimitOfZeroIsRefusedAndALargeOneIsCut) {
  Limits limits;
  limits.max_scan_entries = 3;
  UseLimits(limits);
  PutSome(both());
  ScanRequest request;
  request.limit = 0;
  EXPECT_EQ("invalid_argument", CodeName(backend().Scan(request, Deadline::Infinite())));
  request.limit = 1'000'000'000;
  const Result<ScanPage> page = backend().Scan(request, Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(3u, page->entries.size());
  EXPECT_FALSE(page->complete);
}

TEST_P(Conformance, PagesAreBoundedByBytesAndHoldAtLeastOneEntry) {
  Limits limits;
  limits.max_scan_bytes = 1000;
  UseLimits(limits);
  for (int i = 0; i < 9; ++i) both().Execute(Operation::Put("k" + std::to_string(i), std::string(300, 'v')));
  both().Execute(Operation::Put("k5", std::string(5000, 'v')));
  both().ScanAll(KeyRange::All(), 100);
  const Result<ScanPage> page = backend().Scan(ScanRequest{}, Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(3u, page->entries.size());
}

TEST_P(Conformance, ScansOfManyEntries) {
  std::vector<Operation> puts;
  for (int i = 0; i < 1500; ++i) puts.push_back(Operation::Put("key" + std::to_string(i * 7919 % 1500), "v"));
  both().Execute(puts);
  both().ScanAll(KeyRange::All(), 397);
  both().ScanAll(KeyRange::All(), 10'000);
  both().ScanAll(KeyRange::Prefix("key4"), 100);
}

TEST_P(Conformance, DeleteRangeDeletesTheLiveEntriesOfTheRangeAndCountsThem) {
  for (const KeyRange& range : Ranges()) {
    PutSome(both());
    both().DeleteRange(range);
    both().ScanAll(KeyRange::All(), 100);
    PutSome(both());
    clock().Advance(seconds{1});
    both().DeleteRange(range);
    both().ScanAll(KeyRange::All(), 100);
  }
}

TEST_P(Conformance, DeleteRangeOfManyEntries) {
  std::vector<Operation> puts;
  for (int i = 0; i < 2500; ++i) puts.push_back(Operation::Put("key" + std::to_string(i), "v"));
  both().Execute(puts);
  both().Execute(Operation::Put("other", "v"));
  both().DeleteRange(KeyRange::Prefix("key"));
  both().ScanAll(KeyRange::All(), 100);
}

}  // namespace
}  // namespace holdfast::storage::conformance
