// The fixture of every conformance case. Cases are TEST_P(Conformance, ...) and run on each backend of backends.cc.
#pragma once

#include <gtest/gtest.h>

#include "tests/conformance/comparison.h"

namespace holdfast::storage::conformance {

class Conformance : public testing::TestWithParam<BackendUnderTest> {
 protected:
  // Replaces the backend with one of these limits.
  void UseLimits(const Limits& limits) {
    comparison_.reset();
    harness_.reset();
    harness_ = GetParam().make(limits);
    comparison_ = std::make_unique<Comparison>(*harness_, limits);
  }
  void SetUp() override { UseLimits(Limits{}); }

  Backend& backend() { return harness_->backend(); }
  ManualClock& clock() { return harness_->clock(); }
  Harness& harness() { return *harness_; }
  Comparison& both() { return *comparison_; }

  bool Reopen() {
    both().model().Reopened();
    return harness().Reopen();
  }
  // What has become of the version that a write of the key was acknowledged with: itself, but where a write behind it
  // may get another one; then that.
  Version Final(const std::string& key, Version acknowledged) {
    if (backend().capabilities().versions_final || acknowledged < kProvisional) return acknowledged;
    EXPECT_TRUE(backend().Count(KeyRange::Prefix(key), Deadline::Infinite()).ok());  // which waits for it
    return Run(Operation::Get(key)).version;
  }
  OperationResult Run(const Operation& operation) { return ExecuteOne(backend(), operation, Deadline::Infinite()); }

 private:
  std::unique_ptr<Harness> harness_;
  std::unique_ptr<Comparison> comparison_;
};

// "ok" or the name of the error.
inline std::string CodeName(const Status& status) {
  return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
}
template <typename T>
std::string CodeName(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(ErrorCodeName(result.error().code()));
}

}  // namespace holdfast::storage::conformance
