// A backend and the model, run side by side and held against each other after every call.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/backend_under_test.h"
#include "tests/conformance/model.h"

namespace holdfast::storage::conformance {

// Bytes as a person can read them in a failure.
std::string Printable(std::string_view bytes);
std::string Describe(const Operation& operation);

// Every method runs the call on both and adds gtest failures where they differ.
class Comparison {
 public:
  Comparison(Harness& harness, const Limits& limits) : harness_(harness), model_(limits) {}

  std::vector<OperationResult> Execute(const std::vector<Operation>& operations);
  OperationResult Execute(const Operation& operation) { return Execute(std::vector{operation}).at(0); }
  TransactionResult Transact(const Transaction& transaction);
  void DeleteRange(const KeyRange& range);
  // Pages of `limit` until complete, both ways, with values and without; and Count.
  void ScanAll(const KeyRange& range, std::size_t limit);
  // Every key ever named, read one by one.
  void ReadAll();

  Model& model() { return model_; }

 private:
  // Where versions are not final: what the backend shows of an entry may be what has become of the model's.
  void Settle(const std::string& key, Version version, const Entry* seen);
  void Compare(const Operation& operation, const OperationResult& actual, Timestamp now);
  void ScanOneWay(const KeyRange& range, std::size_t limit, bool descending, bool keys_only);

  Harness& harness_;
  Model model_;
};

}  // namespace holdfast::storage::conformance
