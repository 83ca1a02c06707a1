// The phases of a migration of a store from one backend to another, what leads from one to the next, and the row that
// keeps them. Pure; plain data.
//
//   idle ─start→ dual_write ─(all copied)→ verifying ─(all compared)→ verified ⇄ reads_switched ─cut_over→ cut_over
//                    └───────────────────────abort, from any but cut_over────────────────┘→ aborting → idle
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::dual_write {

enum class Phase {
  kIdle,           // the source only
  kDualWrite,      // the source decides and answers; what changes there is copied, a target that fails is passed over
  kVerifying,      // likewise, but nothing is acknowledged that the target does not have; both are compared
  kVerified,       // likewise; the target has everything that was acknowledged
  kReadsSwitched,  // the source decides, the target answers reads
  kCutOver,        // the target only; there is no way back
  kAborting,       // the source only; what was copied is being removed
};
// "dual_write", as the API and the metrics spell it.
std::string_view PhaseName(Phase phase);

// Writes go to both.
bool WritesBoth(Phase phase);
// Then: none is acknowledged that the target does not have.
bool IsStrict(Phase phase);

enum class Action { kStart, kSwitchReads, kSwitchBack, kCutOver, kAbort };
std::string_view ActionName(Action action);
std::optional<Action> ParseAction(std::string_view text);

// kFailedPrecondition says what has to come first.
Result<Phase> PhaseAfter(Phase phase, Action action);

// What all instances go by. Every change of the phase takes two steps: the row says that it is pending, every instance
// lets its calls end and begins no more; then it is settled, and they go on in the new phase. So no two instances ever
// serve in different phases.
struct PhaseRow {
  std::uint64_t epoch = 0;  // one more with every step
  std::string id;           // of this migration, hexadecimal; empty before the first
  Phase from = Phase::kIdle;
  Phase phase = Phase::kIdle;
  bool pending = false;

  bool operator==(const PhaseRow&) const = default;
  std::string Encode() const;
  // nullopt when the bytes are no such row.
  static std::optional<PhaseRow> Decode(std::string_view bytes);
};

}  // namespace holdfast::dual_write
