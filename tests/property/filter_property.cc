// Random filters over random entries: a scan that is handed a filter returns every entry for which it holds, whatever
// the backend leaves out and wherever its pages end. HOLDFAST_SEED chooses entries and filters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "base/time/duration.h"
#include "service/json/json_writer.h"
#include "service/query/entry_filter.h"
#include "service/storage/confined_backend.h"
#include "service/storage/decision.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

using namespace std::string_literals;

constexpr int kEntries = 250;
constexpr int kFilters = 300;

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  template <typename Value>
  const Value& OneOf(const std::vector<Value>& values) {
    return values[Below(values.size())];
  }

  // Few, so that filters meet what is there; each ends, or means something, in somebody's text format.
  std::string Text() {
    static const std::vector<std::string> kTexts = {"",           "a",
                                                    "A",          "b",
                                                    "aa",         "ab",
                                                    "\u00e9",     "e\u0301",
                                                    "\U0001f600", "\uffff",
                                                    "1",          "1.0",
                                                    "true",       "%",
                                                    "'; --",      "\\",
                                                    "\"",         "null",
                                                    "{}",         "$1",
                                                    "7e9",        "12345678901234567890",
                                                    "\u007f",     "\x01",
                                                    "a\0b"s};
    return OneOf(kTexts);
  }
  std::string Name() {
    static const std::vector<std::string> kNames = {"a",        "b",   "c",      "A", "0",  "",
                                                    "metadata", "a.b", "\u00e9", "'", "\0"s};
    return Below(3) > 0 ? kNames[Below(3)] : OneOf(kNames);
  }
  // As JSON writes it. JSONB keeps the later ones otherwise than the filter language reads them, or not at all.
  std::string Number() {
    static const std::vector<std::string> kNumbers = {"0",
                                                      "1",
                                                      "-1",
                                                      "2",
                                                      "10",
                                                      "1.5",
                                                      "0.1",
                                                      "0.10",
                                                      "-0.0",
                                                      "1.0",
                                                      "123456789012345",
                                                      "0.3",
                                                      "100000000000000.0",
                                                      "9007199254740993",
                                                      "9007199254740993.0",
                                                      "9.007199254740993e15",
                                                      "9007199254740992",
                                                      "9223372036854775807",
                                                      "18446744073709551616",
                                                      "1e0",
                                                      "0.1000000000000000055",
                                                      "0.30000000000000004",
                                                      "1e22",
                                                      "5e-324",
                                                      "1e-400",
                                                      "1.7976931348623157e308",
                                                      "1.00000000000000001"};
    return Below(2) > 0 ? kNumbers[Below(8)] : OneOf(kNumbers);
  }
  std::string Quoted(const std::string& text) {
    std::string json;
    json::AppendJsonString(&json, text);
    return json;
  }
  std::string Scalar() {
    switch (Below(6)) {
      case 0:
        return "null";
      case 1:
        return Below(2) > 0 ? "true" : "false";
      case 2:
      case 3:
        return Number();
      default:
        return Quoted(Text());
    }
  }
  std::string Json(int depth) {
    if (depth == 0 || Below(2) > 0) return Scalar();
    if (Below(2) > 0) return Object(depth - 1);
    std::string array = "[";
    for (std::uint64_t items = Below(4); items > 0; --items) {
      array.append(array.size() > 1 ? "," : "").append(Json(depth - 1));
    }
    return array.append("]");
  }
  std::string Object(int depth) {
    std::vector<std::string> names;
    for (std::uint64_t members = Below(5); members > 0; --members) names.push_back(Name());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::string object = "{";
    for (const std::string& name : names) {
      object.append(object.size() > 1 ? ", " : " ").append(Quoted(name)).append(":").append(Json(depth));
    }
    return object.append("}");
  }

  // A backend keeps whatever it is given; what a client gives is an object.
  std::string Metadata() {
    static const std::vector<std::string> kOthers = {"no JSON",          "[1]",  "3",     "null",
                                                     R"({"a":1,"a":2})", "\xff", "{\0}"s, R"({"a":"\ud800"})"};
    if (Below(5) == 0) return "";
    return Below(20) == 0 ? OneOf(kOthers) : Object(3);
  }

  Operation SomePut(int n) {
    Operation put = Operation::Put((Below(2) > 0 ? "k/" : "k\xff") + std::to_string(n), std::string(Below(4), 'v'));
    put.metadata = Metadata();
    for (std::uint64_t tags = Below(3); tags > 0; --tags) put.tags.push_back(Below(9) == 0 ? "\xff\xfe"s : Text());
    if (Below(3) == 0) put.content_type = Below(2) > 0 ? "text/plain" : std::string(kDefaultContentType);
    if (Below(4) == 0) put.expiry = Expiry::After(std::chrono::seconds{1 + Below(100)});
    return put;
  }

  std::string Comparison() {
    static const std::vector<std::string> kOrders = {"=", "!=", "<", "<=", ">", ">="};
    const std::string order = OneOf(kOrders);
    switch (Below(14)) {
      case 0:
        return "key " + order + " " + Quoted("k/" + std::to_string(Below(kEntries)));
      case 1:
        return "size " + order + " " + (Below(2) > 0 ? std::to_string(Below(4)) : LiteralNumber());
      case 2:
        return "content_type " + order + R"( "text/plain")";
      case 3: {
        static const std::vector<std::string> kInstants = {"created_at ", "updated_at ", "expires_at "};
        const Timestamp when = ManualClock().Now() + std::chrono::seconds{Below(100)};
        return OneOf(kInstants) + order + " \"" + FormatTimestamp(when) + "\"";
      }
      case 4:
        return Below(5) > 0 ? "tags has " + Quoted(Text()) : "tags exists";
      case 5:
        return Below(2) > 0 ? "expires_at exists" : R"(key in ("k/1", "k/2", "k/3"))";
      default:
        return OnMetadata(order);
    }
  }
  std::string OnMetadata(const std::string& order) {
    std::string path = "metadata";
    for (std::uint64_t segments = Below(12) == 0 ? 0 : 1 + Below(3); segments > 0; --segments) {
      path.append(".").append(Quoted(Name()));
    }
    switch (Below(6)) {
      case 0:
        return path + " exists";
      case 1:
        return path + " has " + Literal();
      case 2: {
        std::string list = path + " in (" + Literal();
        for (std::uint64_t more = Below(4); more > 0; --more) list.append(", ").append(Literal());
        return list.append(")");
      }
      default:
        break;
    }
    if (order == "=" || order == "!=") return path + " " + order + " " + Literal();
    return path + " " + order + " " + (Below(2) > 0 ? LiteralNumber() : Quoted(Text()));
  }
  std::string LiteralNumber() {
    const std::string number = Number();
    return number == "18446744073709551616" ? "18446744073709551616.0" : number;  // the language refuses the first
  }
  std::string Literal() {
    const std::string literal = Scalar();
    return literal == "18446744073709551616" ? "18446744073709551616.0" : literal;
  }
  std::string Filter() {
    std::string filter = Comparison();
    while (Below(4) == 0) filter.append(" and ").append(Comparison());
    return filter;
  }

 private:
  std::mt19937_64 random_;
};

class FilterProperty : public testing::TestWithParam<BackendUnderTest> {
 protected:
  // The keys in their order, and how many entries came for which the filter does not hold.
  struct Found {
    std::vector<std::string> keys;
    std::size_t others = 0;
  };

  Found ScanAll(const query::EntryFilter& filter, ScanRequest request) {
    Found found;
    std::string last;
    for (int pages = 0; pages < 10 * kEntries; ++pages) {
      const Result<ScanPage> page = view_->Scan(request, Deadline::Infinite());
      EXPECT_TRUE(page.ok()) << page.error().ToString();
      if (!page.ok()) return found;
      EXPECT_LE(page->entries.size(), request.limit);
      for (const KeyedEntry& item : page->entries) {
        EXPECT_TRUE(!request.after || (request.descending ? item.key < *request.after : item.key > *request.after));
        request.after = item.key;
        if (filter.Matches(item)) {
          found.keys.push_back(item.key);
        } else {
          ++found.others;
        }
      }
      if (page->complete) return found;
      if (page->reached) request.after = page->reached;
      EXPECT_TRUE(page->reached || !page->entries.empty()) << "the page says neither where it ended nor that it did";
    }
    ADD_FAILURE() << "the pages do not end";
    return found;
  }

  void Fill(Generator& random, Backend& backend) {
    view_ = Confine({std::shared_ptr<void>(), &backend}, KeySpace("store", "tenant").In(Room::kKeys), Limits{});
    // Neighbours that match everything must never be seen.
    const auto beside =
        Confine({std::shared_ptr<void>(), &backend}, KeySpace("store", "tenanu").In(Room::kKeys), Limits{});
    std::vector<Operation> puts;
    for (int n = 0; n < kEntries; ++n) puts.push_back(random.SomePut(n));
    for (const auto& view : {view_, beside}) {
      std::vector<OperationResult> results(puts.size());
      view->Execute(puts, results, Deadline::Infinite());
      for (const OperationResult& result : results) ASSERT_TRUE(result.status.ok()) << result.status.error().ToString();
    }
  }

  // What stands there, read without a filter.
  std::vector<KeyedEntry> Everything() {
    ScanRequest request;
    request.limit = 10 * kEntries;
    Result<ScanPage> page = view_->Scan(request, Deadline::Infinite());
    EXPECT_TRUE(page.ok() && page->complete);
    return page.ok() ? std::move(page->entries) : std::vector<KeyedEntry>();
  }

  std::shared_ptr<Backend> view_;
};

TEST_P(FilterProperty, WhatAFilterHoldsForIsFoundAndNothingElse) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  const std::unique_ptr<Harness> harness = GetParam().make(Limits{});
  Generator random(seed);
  ASSERT_NO_FATAL_FAILURE(Fill(random, harness->backend()));
  const std::vector<KeyedEntry> entries = Everything();
  std::size_t matches = 0;
  std::size_t others = 0;
  for (int n = 0; n < kFilters && !HasFailure(); ++n) {
    if (random.Below(20) == 0) harness->clock().Advance(std::chrono::seconds{random.Below(10)});
    const std::string text = random.Filter();
    SCOPED_TRACE(text);
    auto parsed = query::ParseFilter(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().ToString();
    const auto filter = query::EntryFilter::Make(std::move(parsed).value());
    ASSERT_TRUE(filter.ok()) << filter.error().ToString();

    ScanRequest request;
    request.descending = random.Below(2) > 0;
    request.keys_only = random.Below(2) > 0;
    request.limit = 1 + random.Below(2 * kEntries);
    const std::size_t smallest = random.Below(8) == 0 ? 1 : 20;
    request.filter = {filter->conditions(), smallest + random.Below(kEntries), smallest + random.Below(2 * kEntries)};
    std::vector<std::string> expected;
    const Timestamp now = harness->clock().Now();
    for (const KeyedEntry& item : entries) {
      if (!IsExpired(*item.entry, now) && filter->Matches(item)) expected.push_back(item.key);
    }
    if (request.descending) std::reverse(expected.begin(), expected.end());
    const Found found = ScanAll(*filter, request);
    EXPECT_EQ(found.keys, expected);
    matches += found.keys.size();
    others += found.others;
  }
  EXPECT_GT(matches, kFilters) << "filters that hold for nothing show nothing";
  RecordProperty("matches", std::to_string(matches));
  RecordProperty("others", std::to_string(others));
}

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, FilterProperty, testing::Values(MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, FilterProperty, testing::Values(RelaxedRocksDbUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(postgres, FilterProperty, testing::Values(PostgresUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(postgres_pgbouncer, FilterProperty, testing::Values(PostgresPgBouncerUnderTest()), Name);

}  // namespace
}  // namespace holdfast::storage::conformance
