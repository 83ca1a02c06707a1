// Who changed what, when and from where. Values appear as SHA-256 only.
//
// The newest `max_entries` are kept in memory, to be asked for; they end with the process. With a file every record is
// also appended to it as a JSON line, which survives the process, and the machine as far as its kernel has written the
// file out: there is no fsync, and what is moved away by a rotation is written on (use copytruncate). A file that
// cannot be written stops no request: the loss is counted and logged.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/tenancy/audit_file.h"
#include "service/tenancy/sha256.h"

namespace holdfast::tenancy {

struct AuditOptions {
  bool on = false;
  std::size_t max_entries = 10'000;
  std::string file;  // empty = memory only
};

struct AuditRecord {
  std::uint64_t id = 0;  // from 1 in every process, without gaps; set by Add
  Timestamp time{};      // when it was answered; set by Add
  std::string actor;
  std::string from;  // the peer's address, empty when it is not known
  std::string name_space;
  std::string store;      // empty = what belongs to none
  std::string operation;  // "put", "delete", ... of a key; else the route's operation id
  std::string key;        // or the name or prefix it was about
  std::uint64_t version = 0;
  std::optional<Digest> value;  // of what was written
  std::string trace_id;
};

struct AuditQuery {
  std::string name_space;
  std::optional<Timestamp> since;  // from this moment on
  std::optional<std::string> key;
  std::optional<std::string> actor;
  std::uint64_t after = 0;  // id of the last one seen
  std::size_t limit = 100;
};

struct AuditPage {
  std::vector<AuditRecord> records;  // oldest first
  std::uint64_t last = 0;            // where to go on
  bool complete = true;              // nothing lies behind it now
};

// Thread-safe.
class AuditLog {
 public:
  // Fails when the file cannot be opened for appending. `registry` and `clock` outlive it.
  static Result<std::unique_ptr<AuditLog>> Open(const AuditOptions& options, metrics::Registry& registry,
                                                const Clock& clock = SystemClock());

  bool on() const { return options_.on; }
  void Add(AuditRecord record);
  AuditPage Find(const AuditQuery& query) const;

 private:
  AuditLog(const AuditOptions& options, const Clock& clock) : options_(options), clock_(clock) {}

  const AuditOptions options_;
  const Clock& clock_;
  metrics::Counter* records_total_ = nullptr;  // while on
  std::unique_ptr<AuditFile> file_;            // null = memory only
  mutable std::mutex mutex_;
  std::deque<AuditRecord> records_;  // guarded by mutex_; ids without gaps
  std::uint64_t last_id_ = 0;        // guarded by mutex_
};

// One record as a JSON object on one line. A key that is no UTF-8 is base64, and "encoding":"base64" says so.
std::string ToJsonLine(const AuditRecord& record);

}  // namespace holdfast::tenancy
