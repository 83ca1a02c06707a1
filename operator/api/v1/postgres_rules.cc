#include "operator/api/v1/postgres_rules.h"

#include <algorithm>

#include "operator/api/v1/postgres_fields.h"

namespace holdfast::api {
namespace {}  // namespace

const std::vector<std::string>& AllowedPostgresParameters() {
  static const std::vector<std::string> names = {"autovacuum_analyze_scale_factor",
                                                 "autovacuum_analyze_threshold",
                                                 "autovacuum_max_workers",
                                                 "autovacuum_naptime",
                                                 "autovacuum_vacuum_cost_delay",
                                                 "autovacuum_vacuum_cost_limit",
                                                 "autovacuum_vacuum_scale_factor",
                                                 "autovacuum_vacuum_threshold",
                                                 "autovacuum_work_mem",
                                                 "bgwriter_delay",
                                                 "bgwriter_lru_maxpages",
                                                 "bgwriter_lru_multiplier",
                                                 "checkpoint_completion_target",
                                                 "checkpoint_timeout",
                                                 "deadlock_timeout",
                                                 "default_statistics_target",
                                                 "effective_cache_size",
                                                 "effective_io_concurrency",
                                                 "huge_pages",
                                                 "jit",
                                                 "maintenance_io_concurrency",
                                                 "maintenance_work_mem",
                                                 "max_connections",
                                                 "max_parallel_maintenance_workers",
                                                 "max_parallel_workers",
                                                 "max_parallel_workers_per_gather",
                                                 "max_slot_wal_keep_size",
                                                 "max_standby_streaming_delay",
                                                 "max_wal_size",
                                                 "max_worker_processes",
                                                 "min_wal_size",
                                                 "random_page_cost",
                                                 "seq_page_cost",
                                                 "shared_buffers",
                                                 "tcp_keepalives_count",
                                                 "tcp_keepalives_idle",
                                                 "tcp_keepalives_interval",
                                                 "temp_buffers",
                                                 "temp_file_limit",
                                                 "vacuum_cost_delay",
                                                 "vacuum_cost_limit",
                                                 "wal_buffers",
                                                 "wal_compression",
                                                 "wal_keep_size",
                                                 "work_mem"};
  return names;
}

const std::vector<std::string>& RestartingPostgresParameters() {
  // pg_settings.context = 'postmaster' in PostgreSQL 15.
  static const std::vector<std::string> names = {"autovacuum_max_workers", "huge_pages",     "max_connections",
                                                 "max_worker_processes",   "shared_buffers", "wal_buffers"};
  return names;
}

Rule AllowedParametersRule() {
  std::string list;
  for (const std::string& name : AllowedPostgresParameters()) {
    list.append(list.empty() ? "'" : ", '").append(name).append("'");
  }
  return {.cel = "self.all(name, name in [" + list + "])",
          .message =
              "parameters may only name parameters that are tuned, in lower case: docs/storagecluster.md lists "
              "them; the operator sets those that decide over durability, replication, access and logging",
          .broken_at = [](const Json& self, const Json*) {
            const std::vector<std::string>& allowed = AllowedPostgresParameters();
            std::vector<std::string> broken;
            for (const auto& [name, value] : self.items()) {
              if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
              broken.push_back(std::string("[").append(name).append("]"));
            }
            return broken;
          }};
}

Rule StandbysBelowInstancesRule() {
  return {.cel = "!has(self.synchronous) || self.synchronous.standbys < (has(self.instances) ? self.instances : 3)",
          .message = "synchronous.standbys must be below instances: the primary is one of them",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("synchronous")) return {};
            const std::int64_t instances = self.value("instances", kDefaultPostgresInstances);
            if (self.at("synchronous").at("standbys").get<std::int64_t>() < instances) return {};
            return {"synchronous.standbys"};
          },
          .field_path = ".synchronous"};
}

Rule ExternalStandsAloneRule(const std::vector<std::string>& beside) {
  std::string others;
  for (const std::string& name : beside) {
    others.append(others.empty() ? "has(self." : " || has(self.").append(name).append(")");
  }
  return {.cel = "!has(self.external) || !(" + others + ")",
          .message = "external stands alone: what others run is not shaped from here; remove the fields beside it",
          .broken_at = [beside](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("external")) return {};
            std::vector<std::string> broken;
            for (const std::string& name : beside) {
              if (self.contains(name)) broken.push_back(name);
            }
            return broken;
          },
          .field_path = ".external"};
}

Rule PostgresNamesFitRule() {
  return {.cel =
              "self.spec.backends.all(b, !(has(b.postgres) || has(b.redis)) || size(self.metadata.name) + size(b.name) "
              "<= (has(b.redis) && has(b.redis.mode) && b.redis.mode == 'Sentinel' ? 42 : 43))",
          .message =
              "the names of the cluster and of a postgres or redis backend must have at most 43 characters together, "
              "of a redis backend of mode Sentinel 42: pods, Services and labels are named after both",
          .broken_at =
              [](const Json& self, const Json*) {
                const std::size_t own = self.value("metadata", Json::object()).value("name", std::string()).size();
                std::vector<std::string> broken;
                const Json& backends = self.at("spec").at("backends");
                for (std::size_t i = 0; i < backends.size(); ++i) {
                  const std::size_t both = own + backends[i].at("name").get_ref<const std::string&>().size();
                  const bool has_servers = backends[i].contains("postgres") || backends[i].contains("redis");
                  const bool sentinels = backends[i].value("redis", Json::object()).value("mode", "") == "Sentinel";
                  if (!has_servers || both <= (sentinels ? kMaximumSentinelNames : kMaximumPostgresNames)) continue;
                  broken.push_back("spec.backends[" + std::to_string(i) + "].name");
                }
                return broken;
              },
          .field_path = ".spec.backends"};
}

}  // namespace holdfast::api
