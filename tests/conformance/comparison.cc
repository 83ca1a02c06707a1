#include "tests/conformance/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::storage::conformance {
namespace {

const Deadline kNever = Deadline::Infinite();

std::string CodeOf(const Status& status) {
  return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
}

std::string CodeOf(const std::optional<ErrorCode>& code) {
  return code ? std::string(ErrorCodeName(*code)) : "ok";
}

void ExpectEntry(const Entry& expected, const Entry& actual, bool with_value) {
  if (with_value) {
    EXPECT_TRUE(expected.value == actual.value) << "the value differs";
  }
  EXPECT_EQ(expected.version, actual.version);
  EXPECT_EQ(expected.created_at, actual.created_at);
  EXPECT_EQ(expected.updated_at, actual.updated_at);
  EXPECT_EQ(expected.expires_at, actual.expires_at);
  EXPECT_EQ(expected.content_type, actual.content_type);
  EXPECT_EQ(expected.metadata, actual.metadata);
  EXPECT_EQ(expected.tags, actual.tags);
}

}  // namespace

std::string Printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, 40)) {
    if (byte >= ' ' && byte <= '~') {
      text.push_back(byte);
    } else {
      text.append(testing::PrintToString(static_cast<int>(static_cast<unsigned char>(byte))).insert(0, "\\"));
    }
  }
  if (bytes.size() > 40) text.append("... of ").append(std::to_string(bytes.size())).append(" bytes");
  return text;
}

std::string Describe(const Operation& operation) {
  std::string text(OperationKindName(operation.kind));
  text.append(" ").append(Printable(operation.key));
  text.append(" precondition ").append(std::to_string(static_cast<int>(operation.precondition.kind)));
  text.append(" expiry ").append(std::to_string(static_cast<int>(operation.expiry.kind)));
  text.append(" value ").append(Printable(operation.value));
  return text;
}

void Comparison::Settle(const std::string& key, Version version, const Entry* seen) {
  if (harness_.backend().capabilities().versions_final) return;
  EXPECT_TRUE(model_.Settle(key, version, seen, harness_.clock().Now()))
      << Printable(key) << " has version " << version << ", which is none that its write can have got";
}

void Comparison::Compare(const Operation& operation, const OperationResult& actual, Timestamp now) {
  SCOPED_TRACE(Describe(operation));
  const bool gives_version = operation.kind == OperationKind::kPut || operation.kind == OperationKind::kIncrement;
  if (!gives_version || !actual.status.ok()) Settle(operation.key, actual.version, actual.entry.get());
  const Version highest = model_.Highest(operation.key, actual.version);
  const Model::Answer expected = model_.Apply(operation, actual.version, now);
  ASSERT_EQ(CodeOf(expected.status), CodeOf(actual.status))
      << (actual.status.ok() ? "" : actual.status.error().message());
  if (expected.status == ErrorCode::kInvalidArgument || expected.status == ErrorCode::kResourceExhausted) return;
  EXPECT_EQ(expected.existed, actual.existed);
  EXPECT_EQ(expected.version, actual.version);
  if (expected.new_version) {
    EXPECT_GT(actual.version, highest) << "a version came back";
  }
  ASSERT_EQ(expected.entry.has_value(), actual.entry != nullptr);
  if (expected.entry) ExpectEntry(*expected.entry, *actual.entry, true);
  if (!expected.status) {
    EXPECT_EQ(expected.expires_at, actual.expires_at);
    EXPECT_EQ(expected.number, actual.number);
  }
}

std::vector<OperationResult> Comparison::Execute(const std::vector<Operation>& operations) {
  std::vector<OperationResult> results(operations.size());
  // What a backend forgets to assign is seen.
  for (OperationResult& result : results) result.status = Error(ErrorCode::kInternal, "not assigned");
  const Timestamp now = harness_.clock().Now();
  harness_.backend().Execute(operations, results, kNever);
  for (std::size_t i = 0; i < operations.size(); ++i) Compare(operations[i], results[i], now);
  return results;
}

TransactionResult Comparison::Transact(const Transaction& transaction) {
  const Timestamp now = harness_.clock().Now();
  Result<TransactionResult> result = harness_.backend().Transact(transaction, kNever);
  if (!result.ok()) {
    ADD_FAILURE() << result.error().ToString();
    return {};
  }
  const bool held = std::all_of(transaction.conditions.begin(), transaction.conditions.end(),
                                [&](const Condition& condition) { return model_.Holds(condition, now); });
  EXPECT_EQ(held, result->conditions_held);
  const std::vector<Operation>& branch = held ? transaction.then : transaction.otherwise;
  EXPECT_EQ(branch.size(), result->results.size());
  if (branch.size() != result->results.size()) return *result;

  // Tried on a copy, which becomes the model when all of it went well.
  const Model before = model_;
  bool failed = false;
  for (std::size_t i = 0; i < branch.size() && !failed; ++i) {
    const Model::Answer answer = model_.Apply(branch[i], result->results[i].version, now);
    failed = answer.status && !(branch[i].kind == OperationKind::kGet && answer.status == ErrorCode::kNotFound);
    if (!failed) continue;
    for (std::size_t k = 0; k < branch.size(); ++k) {
      EXPECT_EQ(k == i ? CodeOf(answer.status) : "cancelled", CodeOf(result->results[k].status));
    }
  }
  model_ = before;
  EXPECT_EQ(!failed, result->applied);
  if (!failed) {
    for (std::size_t i = 0; i < branch.size(); ++i) Compare(branch[i], result->results[i], now);
  }
  return *result;
}

void Comparison::DeleteRange(const KeyRange& range) {
  const Timestamp now = harness_.clock().Now();
  const std::size_t expected = model_.Live(range, now).size();
  const Result<std::uint64_t> deleted = harness_.backend().DeleteRange(range, kNever);
  ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  EXPECT_EQ(expected, *deleted);
  model_.DeleteRange(range, now);
}

void Comparison::ScanAll(const KeyRange& range, std::size_t limit) {
  for (const bool descending : {false, true}) {
    for (const bool keys_only : {false, true}) ScanOneWay(range, limit, descending, keys_only);
  }
  const Result<std::uint64_t> count = harness_.backend().Count(range, kNever);
  ASSERT_TRUE(count.ok()) << count.error().ToString();
  EXPECT_EQ(model_.Live(range, harness_.clock().Now()).size(), *count);
}

void Comparison::ScanOneWay(const KeyRange& range, std::size_t limit, bool descending, bool keys_only) {
  SCOPED_TRACE("scan from " + Printable(range.start) + " to " + Printable(range.end.value_or("the end")) + " limit " +
               std::to_string(limit) + (descending ? " descending" : "") + (keys_only ? " keys only" : ""));
  std::vector<std::pair<std::string, Entry>> expected = model_.Live(range, harness_.clock().Now());
  if (descending) std::reverse(expected.begin(), expected.end());
  ScanRequest request;
  request.range = range;
  request.descending = descending;
  request.keys_only = keys_only;
  request.limit = limit;
  std::size_t seen = 0;
  for (bool complete = false; !complete;) {
    const Result<ScanPage> page = harness_.backend().Scan(request, kNever);
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    ASSERT_LE(page->entries.size(), limit);
    ASSERT_LE(seen + page->entries.size(), expected.size());
    for (const KeyedEntry& entry : page->entries) {
      auto& [key, stored] = expected[seen++];
      ASSERT_EQ(Printable(key), Printable(entry.key));
      ASSERT_TRUE(key == entry.key);
      ASSERT_NE(nullptr, entry.entry);
      Settle(key, entry.entry->version, entry.entry.get());
      stored = model_.Now(key);
      EXPECT_EQ(stored.value.size(), entry.value_bytes);
      ExpectEntry(stored, *entry.entry, !keys_only);
      if (keys_only) {
        EXPECT_TRUE(entry.entry->value.empty());
      }
    }
    complete = page->complete;
    EXPECT_EQ(seen == expected.size(), complete) << "complete is not exact";
    if (!complete) {
      ASSERT_FALSE(page->entries.empty()) << "a page that leads nowhere";
      request.after = page->entries.back().key;
    }
  }
  EXPECT_EQ(expected.size(), seen);
}

void Comparison::ReadAll() {
  const std::set<std::string> keys = model_.keys();
  for (const std::string& key : keys) Execute(Operation::Get(key));
}

}  // namespace holdfast::storage::conformance
