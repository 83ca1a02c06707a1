// The contract of backend.h as the dullest program that fulfils it: one std::map, one thread, nothing shared with the
// backends' own code. Versions are the backend's to choose, so the model is told which one a write reported and only
// holds it against what it knows.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::storage::conformance {

class Model {
 public:
  // What an operation has to answer; `status` nullopt = ok.
  struct Answer {
    std::optional<ErrorCode> status;
    bool existed = false;
    std::optional<Entry> entry;
    std::optional<Timestamp> expires_at;
    std::int64_t number = 0;
    Version version = 0;
    bool new_version = false;  // then `version` is to be above every one the key ever had
  };

  explicit Model(const Limits& limits = {}) : limits_(limits) {}

  // Applies the operation. `reported` is the version the backend gave it.
  Answer Apply(const Operation& operation, Version reported, Timestamp now);
  bool Holds(const Condition& condition, Timestamp now) const;
  // The live entries of the range, in byte order.
  std::vector<std::pair<std::string, Entry>> Live(const KeyRange& range, Timestamp now) const;
  void DeleteRange(const KeyRange& range, Timestamp now);
  // The highest version the key was ever given.
  Version Highest(const std::string& key) const;
  // Every key that was ever named.
  const std::set<std::string>& keys() const { return keys_; }

 private:
  const Entry* Find(const std::string& key, Timestamp now) const;
  std::optional<ErrorCode> Check(const Precondition& precondition, const Entry* entry) const;
  std::optional<ErrorCode> CheckLimits(const Operation& operation) const;

  Limits limits_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Version> highest_;
  std::set<std::string> keys_;
};

}  // namespace holdfast::storage::conformance
