// Where backups are kept: a flat place of objects, each in the folder of its backup. What is beyond it (a volume, an
// object store) is the implementation's own affair.
//
// Thread-safe. Errors: kResourceExhausted when there is no room left, kDeadlineExceeded, kUnavailable, kOutcomeUnknown
// when a Put or a Delete may have taken effect all the same; each names the place and, where there is one, the remedy.
// No implementation retries what cannot pass. One suite holds for all of them: tests/integration/backup_targets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"

namespace holdfast::backup {

inline constexpr std::size_t kMaxNameBytes = 63;
// 1..63 of a-z, 0-9 and '-'; of backups and of objects.
bool IsName(std::string_view name);

struct ObjectName {
  std::string backup;
  std::string object;

  friend bool operator==(const ObjectName&, const ObjectName&) = default;
};
// "nightly-1/manifest".
std::string Show(const ObjectName& name);

struct StoredObject {
  ObjectName name;
  std::uint64_t bytes = 0;
  Timestamp modified_at{};
};

class Target {
 public:
  virtual ~Target() = default;
  // For people: "folder /backups/main".
  virtual std::string Describe() const = 0;

  // Whole or not at all, whatever happens meanwhile; once it returns ok it survives a crash. One of that name is
  // replaced. kInvalidArgument for what is no name.
  virtual Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) = 0;
  // Likewise, unless there is one of that name: kAlreadyExists, and it stays as it is. Of several at the same moment
  // exactly one succeeds, whatever their processes: in a folder by link(2), in a bucket where the server creates
  // conditionally. One that does not (s3_target.h) is looked at first; then whoever comes in between is replaced, and
  // both have succeeded. An attempt of the same call whose answer was lost is not taken for somebody else's.
  virtual Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) = 0;
  // Whether that holds for several processes: false for such a bucket.
  virtual Result<bool> CreatesOnce(Deadline /*deadline*/) { return true; }
  // kNotFound; kResourceExhausted when it has more than `most` bytes.
  virtual Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) = 0;
  // What Show begins with `prefix` for, by its name; also what a Put that was interrupted left behind, which Get does
  // not find and Delete removes.
  virtual Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) = 0;
  // Ok also when there is none.
  virtual Status Delete(const ObjectName& name, Deadline deadline) = 0;
};

// kAlreadyExists, of PutNew.
Error AlreadyThere(const ObjectName& name, const Target& target);
// kInvalidArgument unless both parts are names.
Status CheckName(const ObjectName& name);

}  // namespace holdfast::backup
