#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

// Every operation with every precondition on a key that is absent, present, deleted or expired; the model knows what
// has to come of it.
TEST_P(Conformance, EveryPreconditionOnEveryOperation) {
  const std::vector<Operation> operations = {Operation::Get("k"),
                                             Operation::Put("k", "new"),
                                             Operation::Delete("k"),
                                             Operation::Take("k"),
                                             Operation::Touch("k", Expiry::After(seconds{30})),
                                             Operation::Increment("k", 2)};
  enum class Before { kAbsent, kPresent, kDeleted, kExpired };
  for (const Before before : {Before::kAbsent, Before::kPresent, Before::kDeleted, Before::kExpired}) {
    for (Operation operation : operations) {
      for (int i = 0; i < 7; ++i) {
        SCOPED_TRACE("before " + std::to_string(static_cast<int>(before)) + " precondition " + std::to_string(i));
        both().Execute(Operation::Delete("k"));
        Version version = 0;
        if (before != Before::kAbsent) {
          version = both().Execute(Operation::Put("k", "7", {}, Expiry::After(seconds{10}))).version;
        }
        if (before == Before::kDeleted) both().Execute(Operation::Delete("k"));
        if (before == Before::kExpired) clock().Advance(seconds{10});
        const std::vector<Precondition> preconditions = {Precondition::None(),
                                                         Precondition::Absent(),
                                                         Precondition::Present(),
                                                         Precondition::VersionIs(version),
                                                         Precondition::VersionIs(version + 1),
                                                         Precondition::ValueIs("7"),
                                                         Precondition::ValueIs("8")};
        operation.precondition = preconditions[static_cast<std::size_t>(i)];
        both().Execute(operation);
        both().Execute(Operation::Get("k"));
      }
    }
  }
}

TEST_P(Conformance, AFailedPreconditionTellsTheCurrentVersion) {
  const Version version = both().Execute(Operation::Put("k", "1")).version;
  const OperationResult stale = both().Execute(Operation::Put("k", "2", Precondition::VersionIs(version - 1)));
  EXPECT_EQ("version_conflict", CodeName(stale.status));
  EXPECT_EQ(Final("k", version), stale.version);
  const OperationResult exists = both().Execute(Operation::Put("k", "2", Precondition::Absent()));
  EXPECT_EQ("already_exists", CodeName(exists.status));
  EXPECT_EQ(Final("k", version), exists.version);
  EXPECT_EQ(0u, both().Execute(Operation::Put("other", "2", Precondition::VersionIs(7))).version);
}

TEST_P(Conformance, VersionZeroMatchesNothing) {
  EXPECT_EQ("version_conflict", CodeName(both().Execute(Operation::Put("k", "1", Precondition::VersionIs(0))).status));
  both().Execute(Operation::Put("k", "1"));
  EXPECT_EQ("version_conflict", CodeName(both().Execute(Operation::Put("k", "1", Precondition::VersionIs(0))).status));
}

TEST_P(Conformance, AVersionOfAFormerLifeDoesNotMatch) {
  const Version first = both().Execute(Operation::Put("k", "1")).version;
  both().Execute(Operation::Delete("k"));
  both().Execute(Operation::Put("k", "1"));
  EXPECT_EQ("version_conflict",
            CodeName(both().Execute(Operation::Delete("k", Precondition::VersionIs(first))).status));
}

}  // namespace
}  // namespace holdfast::storage::conformance
