// What goes wrong in one run, as data. A plan says nothing about what the operator manages, so that every kind of
// cluster, backup or migration can be put to the same ones: the numbers count the operator's writes and a story's
// steps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result/error.h"

namespace holdfast::faults {

// What becomes of a write.
enum class Effect {
  kCrashBefore,       // the operator is killed before the server has it; a new one takes over
  kCrashAfter,        // the server has carried it out, then the operator is killed
  kRequestLost,       // not carried out, and the operator is told that nobody knows
  kReplyLost,         // carried out, and the operator is told that nobody knows
  kRefused,           // not carried out; answered with `code`
  kOtherLeaderFirst,  // another operator lives through a whole reconcile before this write arrives
};

struct WriteFault {
  Effect effect = Effect::kRefused;
  int at = 1;     // the number of the write in the run, from 1
  int every = 0;  // and every so many writes after that; 0 = this one only
  ErrorCode code = ErrorCode::kUnavailable;
};

// No request at all is answered, reads included, from the `from`-th on, `requests` times.
struct Outage {
  int from = 1;
  int requests = 0;
};

// At the beginning of step `shown_at` the operator sees the copies of after step `remembered_after`, for some
// reconciles.
struct Replay {
  std::size_t remembered_after = 0;
  std::size_t shown_at = 0;
};

// The operator sees nothing between the steps `first` and `last`: it hears of the outcome only.
struct HiddenSteps {
  std::size_t first = 0;
  std::size_t last = 0;
};

struct FaultPlan {
  std::string name;
  std::vector<WriteFault> writes = {};
  std::optional<Outage> outage = {};
  std::optional<Replay> replay = {};
  std::optional<HiddenSteps> hidden = {};
};

}  // namespace holdfast::faults
