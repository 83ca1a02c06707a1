// What concurrent clients asked and were told, and when: the input of the checker (checker.h). Times are ticks of one
// counter, so that two calls overlap exactly when neither returned before the other was made.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::linearizability {

// What a client was told about one operation. Absent fields were not told, and are not checked.
struct Outcome {
  // ok, not_found, already_exists, version_conflict, ...: the codes of docs/errors.md.
  std::string code = "ok";
  std::optional<std::string> value;
  std::optional<storage::Version> version;
  std::optional<bool> existed;
  std::optional<std::int64_t> number;
};

struct Call {
  int client = 0;
  // A single operation is a transaction without conditions and with `single` set: its one outcome decides.
  bool single = true;
  storage::Transaction transaction;

  bool conditions_held = true;
  bool applied = true;
  std::vector<Outcome> outcomes;  // of the branch taken

  std::uint64_t invoked = 0;
  std::uint64_t returned = 0;

  static Call Single(storage::Operation operation);
};

using History = std::vector<Call>;

// The calls on each key; only for histories of single operations. Linearisability is local (Herlihy and Wing, 1990):
// the whole is linearisable exactly when each key's part is.
std::map<std::string, History> ByKey(const History& history);

// "client 3 [17, 29] put a=5 if version 7 -> ok, version 12": for failures.
std::string Describe(const Call& call);

}  // namespace holdfast::linearizability
