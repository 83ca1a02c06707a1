// The controls: operators with a bug, made of the right one and a client that spoils what it does. Each must be caught
// by the oracle; a bench that catches none of them proves nothing.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/faults/forwarding_client.h"

namespace holdfast::faults {

enum class Bug {
  kNone,
  kNoPreconditions,    // writes and deletes by name, whatever is there now
  kBelievesOldReads,   // asks the server once about an object, and never again
  kRetriesUnderAName,  // after a lost answer it makes the object again, under another name
  kWritesAtRest,       // touches an object with every look at it
  kTellsSecrets,       // puts a password into its status
  kClaimsReady,        // says Ready whatever there is
  kKeepsFinalizer,     // never lets a deleted cluster go
  kGivesUp,            // does nothing any more after its first failed write
  kMigratesTwice,      // makes every Job a second time, under another name
  kTakesJobsForDone,   // reads of every Job that it has ended well
};

class BuggyClient : public ForwardingClient {
 public:
  BuggyClient(std::shared_ptr<kube::Client> next, Bug bug, std::string secret)
      : ForwardingClient(std::move(next)), bug_(bug), secret_(std::move(secret)) {}

  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<Json> UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override;
  Result<Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                          Deadline deadline) override;
  Status Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                const kube::DeletePreconditions& preconditions, Deadline deadline) override;

 private:
  const Bug bug_;
  const std::string secret_;
  bool given_up_ = false;
  int looks_ = 0;
  std::map<std::pair<kube::ResourceKind, kube::ObjectKey>, Json> read_;
};

}  // namespace holdfast::faults
