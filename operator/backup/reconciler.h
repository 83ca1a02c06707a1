// Looks after the backups of one PostgreSQL backend: asks the pod of its repository what is there, has it take the
// backup of a tick, and says in the StorageCluster's status how they are.
//
// Level-based: each call asks anew and begins at most one thing, by what the repository itself says (decision.h). At
// rest it asks the API server nothing.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/backup/repository_client.h"
#include "operator/backup/view.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::backup {

struct BackupOptions {
  std::chrono::milliseconds interval{15'000};      // between two looks
  std::chrono::milliseconds busy_interval{2'000};  // while something is under way or wrong
  std::chrono::milliseconds answer_timeout{20'000};
  std::chrono::milliseconds reconcile_timeout{45'000};
  // Of the certificate, which is read again earlier when nobody answers.
  std::chrono::milliseconds secrets_lifetime{300'000};
  // Between two writes of the status that tell of new segments only.
  std::chrono::milliseconds archive_interval{60'000};
  std::chrono::seconds stanza_timeout{300};
  Limits limits;
};

// A request names a backend: {namespace, "<cluster>/<backend>"}. Of a pod of a repository or server, by its labels.
std::optional<runtime::Request> RequestOfPod(const kube::Json& pod);

class BackupReconciler : public runtime::Reconciler {
 public:
  // What informers know of a namespace.
  struct Copies {
    const kube::Lister* clusters = nullptr;
    const kube::Lister* repositories = nullptr;  // pods
    const kube::Lister* servers = nullptr;       // pods
  };

  // All references outlive the reconciler.
  BackupReconciler(kube::Client& client, kube::EventRecorder& events,
                   std::function<Copies(const std::string& ns)> copies_of, RepositoryClient& repositories,
                   const BackupOptions& options, const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  struct Memory {
    std::shared_ptr<const Tls> tls;
    MonotonicTime tls_read{};
    int silent_looks = 0;
    std::optional<MonotonicTime> written;
  };
  // A backend of the cluster's specification.
  struct Watched {
    kube::ObjectKey cluster;
    const kube::Json& object;
    const std::string& backend;
    const api::PostgresBackend& postgres;
  };

  std::shared_ptr<Memory> MemoryOf(const runtime::Request& request);
  Status ReadTls(const Watched& watched, Memory* memory, Deadline deadline) const;
  Facts Look(const Watched& watched, Memory* memory, Deadline deadline) const;
  Result<runtime::Outcome> Watch(const Watched& watched, Memory* memory, Deadline deadline);
  std::optional<Endpoint> Repository(const Watched& watched, const Memory& memory) const;
  std::optional<Endpoint> Primary(const Watched& watched, const Memory& memory) const;
  Status Publish(const Watched& watched, const View& view, Memory* memory, Deadline deadline);
  void Tell(const kube::Json& cluster, const std::optional<View>& before, const View& after);

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  RepositoryClient& repositories_;
  const BackupOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<runtime::Request, std::shared_ptr<Memory>> memories_;  // guarded by mutex_; each used by one call at a time
};

}  // namespace holdfast::backup
