// Between an operator and its API server: does what a plan says, and watches over what the operator asks for. Rules
// that hold for each single request are checked here, whatever the run is about; the oracle adds those about whole
// runs.
//   I2   a delete names uid and resourceVersion, and they are those of a read from the server in the same reconcile
//   I2   a write to an object that is there names its resourceVersion
//   I7   the service is given an image only when a migration by that image has ended
//   I8   no secret's value goes anywhere but into a Secret
//   I11  a status that says Ready about the present generation tells of a service with a ready pod
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/faults/fault_plan.h"
#include "tests/faults/forwarding_client.h"

namespace holdfast::faults {

// Of a Job: whether it has ended well. Of a Job or a workload: the image of its first container.
bool HasCompleted(const Json& job);
std::string ImageOf(const Json& workload);

// Not thread-safe: for operators that are moved by hand.
class FaultyClient : public ForwardingClient {
 public:
  FaultyClient(std::shared_ptr<kube::Client> next, FaultPlan plan)
      : ForwardingClient(std::move(next)), plan_(std::move(plan)) {}

  // Reads of before count for nothing.
  void BeginReconcile() { reads_.clear(); }
  // A new operator: its requests come through again.
  void Restart() { crashed_ = false; }
  // What kOtherLeaderFirst does.
  std::function<void()> other_leader;
  // Texts that may stand in Secrets only.
  std::vector<std::string> secrets;

  int writes() const { return writes_; }
  const std::vector<std::string>& violations() const { return violations_; }

  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override;
  Result<Json> Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override;
  Result<Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                          Deadline deadline) override;
  Status Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                const kube::DeletePreconditions& preconditions, Deadline deadline) override;

 private:
  using Target = std::pair<kube::ResourceKind, kube::ObjectKey>;

  // Counts the request; true while nobody answers. Throws what a crashed operator gets.
  bool IsOut();
  const WriteFault* FaultOfThisWrite() const;
  void Remember(const kube::ResourceKind& kind, const Json& object);
  void CheckWrite(const Target& target, const Json& body);
  void CheckDelete(const Target& target, const kube::DeletePreconditions& preconditions);
  void CheckStatus(const Json& written);
  void CheckSecrets(const Target& target, const Json& body);
  // Whether a cluster there has a backend with one.
  bool HasSchema(const std::string& ns);
  void CheckRollout(const Target& target, const Json& body);
  template <typename Call>
  auto Write(Call call) -> decltype(call());

  const FaultPlan plan_;
  int requests_ = 0;
  int writes_ = 0;
  bool crashed_ = false;
  std::map<Target, kube::DeletePreconditions> reads_;  // of this reconcile
  std::vector<std::string> violations_;
};

}  // namespace holdfast::faults
