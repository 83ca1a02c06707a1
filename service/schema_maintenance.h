// Calls the maintenance of every PostgreSQL backend's schema while the service runs, and the vacuum of its tables.
// Several instances may do so: the schema lets one of them work.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/settings.h"
#include "service/storage/periodic_task.h"

namespace holdfast::service {

class SchemaMaintenance {
 public:
  // `settings` outlives it. Starts a thread for each such backend and kind of work, unless
  // migrations.maintenance_interval is 0. `unsaid`: the backends for which SayValueStorages is to be tried again, until
  // it has been said once: another release or a person may say otherwise later.
  SchemaMaintenance(const ServiceSettings& settings, const std::vector<std::string>& unsaid);
  // Stops within a second; what was in progress is undone by the server.
  ~SchemaMaintenance();

 private:
  // The problem that work ended with, "" for none.
  using Work = std::function<Result<std::string>()>;
  void Start(std::chrono::milliseconds interval, const std::string& backend, const char* what, Work work);

  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<storage::PeriodicTask>> tasks_;
};

}  // namespace holdfast::service
