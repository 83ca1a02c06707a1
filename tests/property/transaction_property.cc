// Random interactive transactions, a handful open at a time beside writes from outside, each answer and each commit
// compared with a dull model's: copies instead of an undo log, the levels' promises spelled out. HOLDFAST_SEED chooses
// the sequence. (Whether concurrent histories are serialisable: tests/unit/service/transactions/history_test.cc.)
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "service/transactions/session.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::transactions {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;
using storage::Precondition;
using storage::Version;
using storage::conformance::BackendUnderTest;

constexpr int kOperations = 20'000;
constexpr int kKeys = 8;
constexpr std::size_t kOpenAtOnce = 5;
constexpr const char* kFenceRow = "fence";

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

// Version 0: written inside a transaction, not committed.
struct Cell {
  std::string value;
  Version version = 0;
  bool operator==(const Cell&) const = default;
};
using Cells = std::map<std::string, Cell>;
using Seen = std::optional<Cell>;

Seen Find(const Cells& cells, const std::string& key) {
  const auto found = cells.find(key);
  return found == cells.end() ? Seen() : Seen(found->second);
}

struct Expected {
  std::optional<ErrorCode> error;
  Seen before;
  Seen after;
};

std::optional<std::int64_t> AsNumber(const std::string& value) {
  char* end = nullptr;
  const long long number = std::strtoll(value.c_str(), &end, 10);
  return !value.empty() && *end == '\0' ? std::optional<std::int64_t>(number) : std::nullopt;
}

// What the operation does to what it sees.
Expected Apply(const Operation& operation, const Seen& seen) {
  Expected expected{{}, seen, seen};
  const auto fail = [&](ErrorCode code) {
    expected.error = code;
    return expected;
  };
  switch (operation.precondition.kind) {
    case Precondition::Kind::kAbsent:
      if (seen) return fail(ErrorCode::kAlreadyExists);
      break;
    case Precondition::Kind::kPresent:
      if (!seen) return fail(ErrorCode::kVersionConflict);
      break;
    case Precondition::Kind::kVersion:
      // Nobody has been told the version of what is not committed.
      if (!seen || seen->version == 0 || seen->version != operation.precondition.version) {
        return fail(ErrorCode::kVersionConflict);
      }
      break;
    default:
      break;
  }
  switch (operation.kind) {
    case OperationKind::kGet:
      return seen ? expected : fail(ErrorCode::kNotFound);
    case OperationKind::kPut:
      expected.after = Cell{operation.value, 0};
      return expected;
    case OperationKind::kDelete:
      expected.after.reset();
      return expected;
    case OperationKind::kTake:
      if (!seen) return fail(ErrorCode::kNotFound);
      expected.after.reset();
      return expected;
    case OperationKind::kTouch:
      return seen ? expected : fail(ErrorCode::kNotFound);
    case OperationKind::kIncrement: {
      const auto number = seen ? AsNumber(seen->value) : std::optional<std::int64_t>(0);
      if (!number) return fail(ErrorCode::kFailedPrecondition);
      expected.after = Cell{std::to_string(*number + operation.by), 0};
      return expected;
    }
  }
  return expected;
}

class ModelSession {
 public:
  explicit ModelSession(Isolation isolation) : isolation_(isolation) {}

  Expected Run(const Operation& operation, std::optional<std::uint64_t> token, std::uint64_t newest,
               const Cells& committed) {
    if (token && *token < newest) return {ErrorCode::kFenced, {}, {}};
    const auto own = state_.own.find(operation.key);
    const bool is_own = own != state_.own.end();
    const Seen seen = is_own ? own->second : Look(operation.key, committed);
    const Expected expected = Apply(operation, seen);
    if (expected.error || !IsWrite(operation.kind)) return expected;
    const bool decided = operation.precondition.kind != Precondition::Kind::kNone ||
                         operation.kind == OperationKind::kTake || operation.kind == OperationKind::kTouch ||
                         operation.kind == OperationKind::kIncrement;
    if (!is_own && (isolation_ != Isolation::kReadCommitted || decided)) Depend(operation.key, seen);
    state_.own[operation.key] = expected.after;
    if (token) state_.tokens.push_back(*token);
    return expected;
  }

  void Savepoint(const std::string& name) { savepoints_.emplace_back(name, state_); }

  bool RollbackTo(const std::string& name) {
    auto place = savepoints_.end();
    for (auto one = savepoints_.begin(); one != savepoints_.end(); ++one) {
      if (name.empty() || one->first == name) place = one;
    }
    if (place == savepoints_.end()) return false;
    state_ = place->second;
    savepoints_.erase(std::next(place), savepoints_.end());
    return true;
  }

  std::optional<ErrorCode> WhyNot(std::uint64_t newest, const Cells& committed) const {
    for (const auto& [key, version] : depends_) {
      const Seen now = Find(committed, key);
      if (version != (now ? now->version : 0)) return ErrorCode::kVersionConflict;
    }
    for (const std::uint64_t token : state_.tokens) {
      if (token < newest) return ErrorCode::kFenced;
    }
    return std::nullopt;
  }
  const std::map<std::string, Seen>& own() const { return state_.own; }

 private:
  struct State {
    std::map<std::string, Seen> own;
    std::vector<std::uint64_t> tokens;
  };

  Seen Look(const std::string& key, const Cells& committed) {
    if (isolation_ == Isolation::kReadCommitted) return Find(committed, key);
    const Seen seen = first_.emplace(key, Find(committed, key)).first->second;
    if (isolation_ == Isolation::kSerializable) Depend(key, seen);
    return seen;
  }
  void Depend(const std::string& key, const Seen& seen) { depends_.emplace(key, seen ? seen->version : 0); }

  Isolation isolation_;
  State state_;
  std::map<std::string, Seen> first_;
  std::map<std::string, Version> depends_;
  std::vector<std::pair<std::string, State>> savepoints_;
};

class World {
 public:
  World(const BackendUnderTest& under_test, std::uint64_t seed)
      : random_(seed),
        harness_(under_test.make(storage::Limits{})),
        backend_(&harness_->backend(), [](storage::Backend*) {}) {}

  void Step() {
    if (open_.size() < kOpenAtOnce && Below(4) == 0) return Begin();
    const std::uint64_t what = Below(40);
    if (what < 6) return FromOutside();
    if (what == 6) return IssueToken();
    if (open_.empty()) return;
    const std::size_t place = Below(open_.size());
    Pair& pair = open_[place];
    if (what < 10) return Savepoint(pair);
    if (what < 13) return RollbackTo(pair);
    if (what < 17) {
      if (what != 16) Commit(pair);
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(place));
      return;
    }
    RunIn(pair);
  }

  int operations() const { return operations_; }
  int commits() const { return commits_; }
  int conflicts() const { return conflicts_; }

 private:
  struct Pair {
    std::unique_ptr<Session> session;
    ModelSession model;
  };

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  std::string Key() { return fmt::format("k{}", Below(kKeys)); }

  Operation SomeOperation() {
    Operation operation;
    operation.kind = static_cast<OperationKind>(Below(6));
    operation.key = Key();
    operation.by = static_cast<std::int64_t>(Below(7)) - 3;
    if (operation.kind == OperationKind::kPut) {
      operation.value = Below(3) == 0 ? std::string("text") : std::to_string(Below(100));
    }
    if (operation.kind == OperationKind::kTouch) {
      operation.expiry = storage::Expiry::After(std::chrono::hours{1} + std::chrono::microseconds{++touches_});
    }
    if (operation.kind == OperationKind::kIncrement) operation.expiry = storage::Expiry::Keep();
    const std::uint64_t precondition = Below(8);
    if (precondition == 0) operation.precondition = Precondition::Absent();
    if (precondition == 1) operation.precondition = Precondition::Present();
    if (precondition == 2) {
      const Seen now = Find(committed_, operation.key);
      operation.precondition = Precondition::VersionIs(now ? now->version : 1);
    }
    return operation;
  }

  void Begin() {
    const auto isolation = static_cast<Isolation>(Below(3));
    open_.push_back(
        {std::make_unique<Session>(backend_, isolation, SessionLimits{}, harness_->clock()), ModelSession(isolation)});
  }

  void Compare(const Operation& operation, const Expected& expected, const OperationResult& actual) {
    const std::string what = fmt::format("{} {}", storage::OperationKindName(operation.kind), operation.key);
    if (expected.error) {
      ASSERT_FALSE(actual.status.ok()) << what;
      EXPECT_EQ(actual.status.error().code(), *expected.error) << what;
      return;
    }
    ASSERT_TRUE(actual.status.ok()) << what << ": " << actual.status.error().ToString();
    EXPECT_EQ(actual.existed, expected.before.has_value()) << what;
    const bool reads = operation.kind == OperationKind::kGet || operation.kind == OperationKind::kTake;
    if (reads) {
      ASSERT_NE(actual.entry, nullptr) << what;
      EXPECT_EQ(actual.entry->value, expected.before->value) << what;
      EXPECT_EQ(actual.entry->version, expected.before->version) << what;
    }
    if (operation.kind == OperationKind::kIncrement) {
      EXPECT_EQ(std::to_string(actual.number), expected.after->value) << what;
    }
  }

  void RunIn(Pair& pair) {
    ++operations_;
    const Operation operation = SomeOperation();
    std::optional<Fence> fence;
    if (IsWrite(operation.kind) && Below(3) == 0) fence = Fence{kFenceRow, token_ - (token_ > 0 ? Below(2) : 0)};
    const OperationResult actual = pair.session->Execute(operation, fence, Deadline::Infinite());
    Compare(operation,
            pair.model.Run(operation, fence ? std::optional(fence->token) : std::nullopt, token_, committed_), actual);
  }

  void FromOutside() {
    ++operations_;
    const Operation operation = SomeOperation();
    const Seen before = Find(committed_, operation.key);
    const Expected expected = Apply(operation, before);
    const OperationResult actual = storage::ExecuteOne(*backend_, operation, Deadline::Infinite());
    Compare(operation, expected, actual);
    if (expected.error || !IsWrite(operation.kind)) return;
    Store(operation.key, expected.after, actual.version);
  }

  void IssueToken() {
    ++token_;
    const Operation put = Operation::Put(kFenceRow, std::to_string(token_));
    ASSERT_TRUE(storage::ExecuteOne(*backend_, put, Deadline::Infinite()).status.ok());
  }

  void Savepoint(Pair& pair) {
    const std::string name = Below(2) == 0 ? "a" : "b";
    if (pair.session->Savepoint(name).ok()) pair.model.Savepoint(name);
  }

  void RollbackTo(Pair& pair) {
    const std::string name = Below(3) == 0 ? "" : Below(2) == 0 ? "a" : "b";
    EXPECT_EQ(pair.session->RollbackTo(name).ok(), pair.model.RollbackTo(name)) << "savepoint \"" << name << "\"";
  }

  void Commit(Pair& pair) {
    const auto refused = pair.model.WhyNot(token_, committed_);
    const auto keys = pair.session->Commit("record", std::chrono::hours{1}, Deadline::Infinite());
    if (refused) {
      ++conflicts_;
      ASSERT_FALSE(keys.ok());
      EXPECT_EQ(keys.error().code(), *refused);
      return CompareAll();
    }
    ++commits_;
    ASSERT_TRUE(keys.ok()) << keys.error().ToString();
    ASSERT_EQ(keys->size(), pair.model.own().size());
    auto written = keys->begin();
    for (const auto& [key, cell] : pair.model.own()) {
      EXPECT_EQ(written->key, key);
      Store(key, cell, written->version);
      ++written;
    }
    CompareAll();
  }

  // A write that took effect; its version is the backend's choice.
  void Store(const std::string& key, const Seen& cell, Version version) {
    if (!cell) {
      committed_.erase(key);
      return;
    }
    if (cell->version != 0) {
      EXPECT_EQ(version, cell->version) << key << " was only touched";
    } else {
      EXPECT_GT(version, highest_[key]) << key;
    }
    highest_[key] = version;
    committed_[key] = {cell->value, version};
  }

  void CompareAll() {
    storage::ScanRequest request;
    request.range = storage::KeyRange::Prefix("k");
    const auto page = backend_->Scan(request, Deadline::Infinite());
    ASSERT_TRUE(page.ok());
    Cells stored;
    for (const auto& [key, entry, bytes] : page->entries) stored[key] = {entry->value, entry->version};
    EXPECT_EQ(stored, committed_);
  }

  std::mt19937_64 random_;
  const std::unique_ptr<storage::conformance::Harness> harness_;
  const std::shared_ptr<storage::Backend> backend_;
  std::vector<Pair> open_;
  Cells committed_;
  std::map<std::string, Version> highest_;
  std::uint64_t token_ = 0;
  std::uint64_t touches_ = 0;
  int operations_ = 0;
  int commits_ = 0;
  int conflicts_ = 0;
};

class TransactionProperty : public testing::TestWithParam<BackendUnderTest> {};

TEST_P(TransactionProperty, RandomTransactionsAnswerAsTheModelDoes) {
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", Seed()));
  World world(GetParam(), Seed());
  while (world.operations() < kOperations && !testing::Test::HasFailure()) {
    SCOPED_TRACE(fmt::format("after {} operations", world.operations()));
    world.Step();
  }
  // Both ends must have been met often, or the sequence shows nothing.
  EXPECT_GT(world.commits(), 200);
  EXPECT_GT(world.conflicts(), 200);
}

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, TransactionProperty, testing::Values(storage::conformance::MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, TransactionProperty, testing::Values(storage::conformance::RelaxedRocksDbUnderTest()),
                         Name);

}  // namespace
}  // namespace holdfast::transactions
