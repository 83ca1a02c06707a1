// What is asked of the state service, and told to it, about the backups of a store (docs/api.md). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "operator/service_access/endpoint.h"

namespace holdfast::storagebackup {

using service_access::Endpoint;

struct Drill {
  bool succeeded = false;
  std::string code;  // why not
  std::optional<Timestamp> at;
};

// A backup that is there: its manifest was written.
struct Item {
  std::string id;
  std::string damage = {};  // not empty: it cannot be read, and of the rest nothing is known
  std::string parent = {};  // of an incremental one
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
  bool verified = false;
  std::optional<Timestamp> created = {};
  std::optional<Timestamp> verified_at = {};
  std::optional<Drill> drill = {};
};

// Of one process of the service, which forgets it with its end.
struct Run {
  std::string id;
  std::string action;  // create, incremental, verify, drill, restore
  std::string state;   // waiting, running, succeeded, failed
  std::string backup = {};
  std::string step = {};
  std::int64_t done_bytes = 0;
  std::int64_t total_bytes = 0;
  std::string problem = {};  // the code, once it has failed
  std::string detail = {};
  std::string note = {};
  std::int64_t restored = 0;  // of a restore, as is the rest
  std::int64_t written = 0;
  std::int64_t deleted = 0;
  std::int64_t expired = 0;
  std::string undo = {};

  bool active() const { return state == "waiting" || state == "running"; }
  bool failed() const { return state == "failed"; }
  bool succeeded() const { return state == "succeeded"; }
};

// The times that a store can be restored to, by what lies where its changes are shipped to. One behind `latest` can be
// as well while the service ships.
struct Restorable {
  bool any = false;  // else the rest means nothing
  Timestamp earliest{};
  Timestamp latest{};
};

// In words, and in tenths: whoever writes it down does not write at every look.
std::string ProgressOf(const Run& run);
std::string WhyFailed(const Run& run);

enum class Wish { kFull, kIncremental, kVerify, kDrill, kRestore };

// Whose backups are meant.
struct BackupsOf {
  std::string store;
  std::string source = {};  // the store of another cluster that they are of; empty = its own
};

class ServiceClient {
 public:
  virtual ~ServiceClient() = default;
  // kNotFound: the service says that there is no such backup, or no such run in the process that answered. Any other
  // error: it does not answer, or not what it is asked. In words for people, without the token.
  virtual Result<Item> FindItem(const Endpoint& service, const BackupsOf& backups, const std::string& id,
                                Deadline deadline) = 0;
  virtual Result<Run> FindRun(const Endpoint& service, const std::string& store, const std::string& run,
                              Deadline deadline) = 0;
  // What of a list of backups says which times there are; as FindItem.
  virtual Result<Restorable> FindRestorable(const Endpoint& service, const BackupsOf& backups, Deadline deadline) = 0;
  // The run that was begun. kFailedPrecondition: it refuses, and nothing was begun. kUnavailable: nothing was begun,
  // and it may be asked again. Any other error: nobody knows whether anything was begun.
  virtual Result<Run> Ask(const Endpoint& service, const BackupsOf& backups, Wish wish, const std::string& id,
                          Deadline deadline) = 0;
  // Likewise, of a restore to a time.
  virtual Result<Run> RestoreTo(const Endpoint& service, const BackupsOf& backups, Timestamp to, Deadline deadline) = 0;
};

std::shared_ptr<ServiceClient> MakeServiceClient();

// The bodies of GET …/backups/{id}, of GET …/backups and of everything about a run; nothing when they make no sense.
std::optional<Item> ParseItem(const std::string& body);
std::optional<Restorable> ParseRestorable(const std::string& body);
std::optional<Run> ParseRun(const std::string& body);

}  // namespace holdfast::storagebackup
