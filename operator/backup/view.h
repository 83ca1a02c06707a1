// What is told of a backend's backups: its row in status.backups, and the condition BackupHealthy
// (api/v1/backup_health.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "operator/backup/decision.h"
#include "operator/kube/client.h"

namespace holdfast::backup {

struct View {
  std::string backend = {};
  bool healthy = false;
  std::string reason = {};
  std::string message = {};
  std::string last_full = {};  // times in RFC 3339; empty = none
  std::string last_differential = {};
  std::string restorable_from = {};
  std::string running = {};
  std::string last_archived = {};
  std::int64_t backups = 0;
  std::int64_t failures = 0;
  std::int64_t archive_failures = 0;
  std::int64_t archive_waiting = 0;  // segments
  std::int64_t bytes = 0;            // of all backups, in the repository

  bool operator==(const View&) const = default;
  // But for what changes with every segment.
  bool SameStory(const View& other) const;
};

// `before`: what stood there, which holds for what is not known now.
View Describe(const std::string& backend, const Health& health, const Facts& facts, const std::optional<View>& before);

// Nothing while there is none.
std::optional<View> ViewOf(const kube::Json& cluster_object, std::string_view backend);

// Writes nothing when it stands there. A conflict is read again. Returns the object as written or read last.
Result<kube::Json> WriteView(kube::Client& client, kube::Json cluster_object, const View& view, const Clock& clock,
                             Deadline deadline);
// Takes it away, of a backend without backups.
Result<kube::Json> EraseView(kube::Client& client, kube::Json cluster_object, const std::string& backend,
                             const Clock& clock, Deadline deadline);

}  // namespace holdfast::backup
