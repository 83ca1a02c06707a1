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

// Versions of writes that were acknowledged before the system of record had them are from here on, where
// Capabilities::versions_final is false (docs/operations.md, "A store that writes behind").
inline constexpr Version kProvisional = Version{1} << 62;

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
  // The system of record has the newest write of the key now and has given it this version, and times of when it had it
  // at last (`seen`, where it was shown). True when that may be: a provisional version is replaced, once, by one above
  // all that the key had there; nothing else of the entry changes. A precondition on the former holds on.
  bool Settle(const std::string& key, Version version, const Entry* seen, Timestamp now);
  // The live entries of the range, in byte order.
  std::vector<std::pair<std::string, Entry>> Live(const KeyRange& range, Timestamp now) const;
  void DeleteRange(const KeyRange& range, Timestamp now);
  // The highest version of this kind (provisional or not) that the key was ever given.
  Version Highest(const std::string& key, Version like = 0) const;
  // The backend was opened again: what was acknowledged provisionally before means nothing to it, neither as a
  // precondition nor in its order.
  void Reopened();
  // What the key has, expired or not.
  const Entry& Now(const std::string& key) const { return entries_.at(key); }
  // Every key that was ever named.
  const std::set<std::string>& keys() const { return keys_; }

 private:
  const Entry* Find(const std::string& key, Timestamp now) const;
  static bool TakeTimes(Entry& entry, const Entry& seen, Timestamp now);
  bool HasVersion(const std::string& key, const Entry& entry, Version version) const;
  std::optional<ErrorCode> Check(const Precondition& precondition, const std::string& key, const Entry* entry) const;
  std::optional<ErrorCode> CheckLimits(const Operation& operation) const;

  Limits limits_;
  std::map<std::string, Entry> entries_;
  std::map<std::pair<std::string, bool>, Version> highest_;  // by key, and whether it is provisional
  std::map<std::string, Version> acknowledged_;              // of entries whose version was replaced, the former
  std::set<std::string> unseen_;                             // whose times may be later ones, and were not shown
  std::set<std::string> keys_;
};

}  // namespace holdfast::storage::conformance
