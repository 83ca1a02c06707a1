// A client that reads from the server and writes nothing: what it is asked to write is noted, and later reads show it.
// What is applied goes to the server as a dry run, so that its rules, defaults and admission have their say.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/kube/client.h"

namespace holdfast::kubectl {

using kube::Json;

struct PlannedWrite {
  std::string verb;  // "create", "change", "delete", "status"
  kube::ResourceKind kind;
  kube::ObjectKey key;
  Json before = nullptr;  // as it is; null = not there
  Json after = nullptr;   // as it would be; null = gone
};

class DryRunClient : public kube::Client {
 public:
  explicit DryRunClient(std::shared_ptr<kube::Client> next) : next_(std::move(next)) {}

  // Reads show `object` instead of what is there.
  void Show(const kube::ResourceKind& kind, Json object);
  const std::vector<PlannedWrite>& writes() const { return writes_; }

  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override;
  // kNotSupported.
  Status Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) override;
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
  // Notes a write that leads to `after` and shows it from now on.
  Result<Json> Note(const kube::ResourceKind& kind, const kube::ObjectKey& key, Json after, Deadline deadline,
                    const char* verb = nullptr);

  const std::shared_ptr<kube::Client> next_;
  std::vector<PlannedWrite> writes_;
  std::map<std::pair<kube::ResourceKind, kube::ObjectKey>, Json> shown_;  // null = gone
};

}  // namespace holdfast::kubectl
