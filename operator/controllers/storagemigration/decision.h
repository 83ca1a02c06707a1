// What a StorageMigration says of itself, and the next thing to do for it: a pure function of what is known.
//
// The status is always written before the thing is done, so whoever goes on after a crash finds what may have been
// done:
//   formerId   the service's last migration, before `start` is told. The service idle with that one: `start` did not
//              come through. Idle with another one: it ran, and was aborted; it is not started a second time.
//   ending     why it is aborted, before `abort` is told; never taken back.
// In which backend the store is stands in the cluster's status.moves, which is changed for good only when the service
// said that it is cut over, or idle.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/v1/storage_migration.h"
#include "operator/api/v1/store_move.h"

namespace holdfast::storagemigration {

// What goes into a condition.
struct Said {
  std::string reason;   // CamelCase
  std::string message;  // names the object and the remedy
  friend bool operator==(const Said&, const Said&) = default;
};

// What the service answers (docs/store-migration.md).
struct Report {
  std::string phase;
  bool pending = false;
  std::string id;
  std::int64_t total = 0;
  std::int64_t copied = 0;
  std::int64_t compared = 0;
  std::int64_t differences = 0;
  std::int64_t instances = 0;  // that the service counts
};

enum class Act {
  kNone,
  kHold,         // the finalizer
  kPrepare,      // the move is written into the cluster's status
  kStart,        // the service is told
  kSwitchReads,  // likewise
  kCutOver,      // likewise
  kAbort,        // likewise
  kSettle,       // the cluster's status says that the store is in its new backend
  kForget,       // the cluster's status says nothing of this migration any more
  kRelease,      // the finalizer goes
};
const char* NameOf(Act act);

struct Facts {
  api::StorageMigration migration;
  bool held = false;    // has the finalizer
  bool paused = false;  // the migration, or its cluster
  // Of the cluster's status; nothing when there is no such cluster.
  std::optional<std::vector<api::StoreMove>> moves = {};
  // The move that should be written, in the backend where the store is; nothing when it cannot be moved as it is.
  std::optional<api::StoreMove> wanted = {};
  std::optional<Said> unusable = {};  // why not
  // Another migration that has the store, and is there.
  std::string other = {};
  // What is missing until every pod has the configuration and nothing else runs; looked at before the start only.
  std::optional<std::string> rolling = {};
  std::int64_t pods = 0;
  std::optional<Report> report = {};
  std::string silence = {};  // why there is no report
  // What the service refused to do when it was told last.
  std::optional<Act> refused = {};
  std::string refusal = {};
  Timestamp now{};
  // After the cut-over the service still removes what the migration needed: so long its configuration stays.
  std::chrono::microseconds tidying{};
};

enum class Pace {
  kRest,    // nothing, until something changes
  kPerson,  // waits for somebody
  kFollow,  // the service is at work
  kNow,     // a step follows the one before
};

struct Verdict {
  api::StorageMigrationStatus status;  // without the times of its conditions (Conclude)
  Said progress;
  bool progressing = true;
  std::optional<Said> complete = {};  // it is
  std::optional<Said> failed = {};    // it has
  Act act = Act::kNone;
  Pace pace = Pace::kNow;
};

Verdict Decide(const Facts& facts);
// The status with its conditions.
api::StorageMigrationStatus Conclude(const Verdict& verdict, Timestamp now);

// Whether nothing is left to be done for it.
bool IsOver(const api::StorageMigration& migration, bool held);

inline constexpr char kCompleteCondition[] = "Complete";
inline constexpr char kFailedCondition[] = "Failed";
inline constexpr char kProgressingCondition[] = "Progressing";

}  // namespace holdfast::storagemigration
