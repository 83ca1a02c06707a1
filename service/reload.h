// SIGHUP: what of its settings a running service takes over.
//
//   log.level, log.format, log.access, tracing.sample_percent
//   stores.*.default_ttl, stores.*.sliding_ttl
//   backends.*, stores.*.resilience.*: numbers of the circuit breaker, retries, hedges, the bulkhead and call_timeout
//   (resilience::Guard)
//   auth.tokens_file: its contents, at once rather than within auth.reread_interval
//
// Everything else waits for a restart, and is named in the log. Settings with a problem change nothing. Metric:
// holdfast_settings_reloads_total{result="ok"|"failed"}.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/config/settings.h"
#include "base/metrics/metrics.h"
#include "service/api/api_handler.h"
#include "service/guards.h"
#include "service/settings.h"
#include "service/storage/store.h"
#include "service/tenancy/tenancy.h"
#include "service/tracing/span.h"

namespace holdfast::service {

struct LoadedSettings {
  config::Settings given;
  ServiceSettings meaning;
};
// nullopt exactly when something was added to `problems`.
std::optional<LoadedSettings> LoadSettings(const config::Sources& sources, std::vector<config::Problem>* problems);

// What takes settings over.
struct Reloadable {
  Guards guards;
  std::shared_ptr<const storage::StoreRegistry> stores;
  std::shared_ptr<api::ApiHandler> handler;
  std::shared_ptr<tracing::SpanSink> spans;  // null without tracing
  std::shared_ptr<const tenancy::Tenancy> tenancy;
};

// Not thread-safe.
class Reload {
 public:
  // `started`: as the service was started. `registry` outlives it.
  Reload(config::Sources sources, config::Settings started, Reloadable running, metrics::Registry& registry);
  // Reads the settings again and takes over what it can; the log says what came of it.
  void Now();

 private:
  // Whose guards have taken their numbers over.
  struct Guarded {
    std::set<std::string, std::less<>> backends;
    std::set<std::string, std::less<>> stores;
  };

  void TakeOver(const LoadedSettings& settings);
  // Whether a running service takes this setting.
  bool Takes(const std::string& name, const Guarded& guarded) const;

  const config::Sources sources_;
  const config::Settings started_;
  config::Settings last_;
  const Reloadable running_;
  metrics::Counter& succeeded_;
  metrics::Counter& failed_;
};

}  // namespace holdfast::service
