// Random operations, batches, transactions, scans, range deletions, jumps of the clock and reopenings, each answer
// compared with the model's. HOLDFAST_SEED chooses the sequence.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/conformance/comparison.h"

namespace holdfast::storage::conformance {
namespace {

constexpr int kOperations = 12'000;

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

class Generator {
 public:
  Generator(std::uint64_t seed, const Model& model) : random_(seed), model_(model) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  // Few and alike, so that operations meet; some long, some with bytes at the edges.
  std::string Key() {
    static const std::vector<std::string> kParts = {std::string(1, '\0'), "a", "b", "\xff", "/", "."};
    if (Below(50) == 0) return std::string(Below(3) == 0 ? 513 : 512, static_cast<char>(Below(256)));
    std::string key;
    for (std::uint64_t parts = 1 + Below(3); parts > 0; --parts) key += kParts[Below(kParts.size())];
    return key;
  }

  std::string Value() {
    if (Below(3) == 0) return std::to_string(static_cast<int>(Below(100)) - 50);
    std::string value(Below(20) == 0 ? Below(5000) : Below(40), '\0');
    for (char& byte : value) byte = static_cast<char>(Below(256));
    return value;
  }

  Precondition MaybePrecondition(const std::string& key) {
    switch (Below(10)) {
      case 0:
        return Precondition::Absent();
      case 1:
        return Precondition::Present();
      case 2:
        return Precondition::VersionIs(model_.Highest(key));
      case 3:
        return Precondition::ValueIs(Value());
      default:
        return Precondition::None();
    }
  }

  Expiry SomeExpiry() {
    switch (Below(4)) {
      case 0:
        return Expiry::After(std::chrono::milliseconds{Below(5000)});  // zero is refused
      case 1:
        return Expiry::Keep();
      default:
        return Expiry::Never();
    }
  }

  Operation SomeOperation() {
    const std::string key = Key();
    Operation operation = Operation::Get(key);
    operation.kind = static_cast<OperationKind>(Below(6));
    operation.precondition = MaybePrecondition(key);
    operation.expiry = SomeExpiry();
    operation.by = static_cast<std::int64_t>(Below(7)) - 3;
    if (operation.kind == OperationKind::kPut) {
      operation.value = Value();
      if (Below(4) == 0) operation.content_type = "text/plain";
      if (Below(4) == 0) operation.metadata = R"({"a":1})";
      for (std::uint64_t tags = Below(3); tags > 0; --tags) operation.tags.push_back(Value());
    }
    return operation;
  }

  Operation ValidOperation() {
    for (;;) {
      Operation operation = SomeOperation();
      if (Validate(operation, Limits{}).ok()) return operation;
    }
  }

  KeyRange SomeRange() {
    if (Below(3) == 0) return KeyRange::All();
    if (Below(2) == 0) return KeyRange::Prefix(Key());
    return KeyRange{Key(), Below(4) == 0 ? std::nullopt : std::optional(Key())};
  }

 private:
  std::mt19937_64 random_;
  const Model& model_;
};

class StorageProperty : public testing::TestWithParam<BackendUnderTest> {};

TEST_P(StorageProperty, RandomCallsAnswerAsTheModelDoes) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  const std::unique_ptr<Harness> harness = GetParam().make(Limits{});
  Comparison both(*harness, Limits{});
  Generator generator(seed, both.model());

  for (int done = 0; done < kOperations && !testing::Test::HasFailure();) {
    SCOPED_TRACE("after " + std::to_string(done) + " operations");
    switch (generator.Below(40)) {
      case 0:
        both.ScanAll(generator.SomeRange(), 1 + generator.Below(40));
        break;
      case 1:
        both.DeleteRange(generator.Below(8) == 0 ? KeyRange::All() : generator.SomeRange());
        break;
      case 2:
      case 3:
        harness->clock().Advance(std::chrono::milliseconds{generator.Below(1500)});
        break;
      case 4:
        if (generator.Below(20) == 0) harness->Reopen();
        break;
      case 5:
      case 6:
      case 7: {
        Transaction transaction;
        for (std::uint64_t i = generator.Below(3); i > 0; --i) {
          const std::string key = generator.ValidOperation().key;
          transaction.conditions.push_back({key, generator.MaybePrecondition(key)});
        }
        for (std::uint64_t i = generator.Below(4); i > 0; --i) {
          transaction.then.push_back(generator.ValidOperation());
          transaction.otherwise.push_back(generator.ValidOperation());
        }
        done += static_cast<int>(transaction.then.size());
        both.Transact(transaction);
        break;
      }
      default: {
        std::vector<Operation> operations;
        for (std::uint64_t i = 1 + generator.Below(12); i > 0; --i) operations.push_back(generator.SomeOperation());
        done += static_cast<int>(operations.size());
        both.Execute(operations);
      }
    }
  }
  both.ReadAll();
  both.ScanAll(KeyRange::All(), 7);
}

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, StorageProperty, testing::Values(MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, StorageProperty, testing::Values(RelaxedRocksDbUnderTest()), Name);

}  // namespace
}  // namespace holdfast::storage::conformance
