#include "service/setting_rows.h"
#include "service/settings.h"
#include "service/settings_backup_source.h"
#include "service/settings_backups.h"
#include "service/settings_changes.h"
#include "service/settings_checkpoints.h"
#include "service/settings_composition.h"
#include "service/settings_failover.h"
#include "service/settings_locks.h"
#include "service/settings_moves.h"
#include "service/settings_postgres.h"
#include "service/settings_redis.h"
#include "service/settings_replicas.h"
#include "service/settings_resilience.h"
#include "service/settings_write.h"

namespace holdfast::service {
namespace {

using config::Setting;

void AddPlaces(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("listen.address", "0.0.0.0", "Address of the storage API."),
          Integer("listen.port", "8080", 0, 65535, "Port of the storage API; 0 = any free one, which the log names."),
          Integer("listen.threads", "0", 0, 1024, "Threads that read the network; 0 = one per core."),
          Text("listen.tls.certificate", "",
               "PEM file with the storage API's certificate, then its chain; read again when it changes. Left out = "
               "plain "
               "HTTP."),
          Text("listen.tls.key", "", "PEM file with the key of that certificate, not encrypted."),
          Text("listen.tls.client_ca", "",
               "PEM file with authorities; every client must show a certificate of one of them. Left out = none "
               "needed."),
          Text("admin.address", "0.0.0.0", "Address of the admin port (health, metrics)."),
          Integer("admin.port", "9090", 0, 65535, "Port for health and metrics; 0 = any free one."),
          Text("data_dir", "holdfast-data", "Folder that relative backend paths start from."),
          Text("default_store", "", "Store that _default stands for; may be left out when there is only one store."),
          Text("stores.*.backend", "", "Backend the store is built on; several stores may share one."),
          Duration("stores.*.sliding_ttl", "", kMillisecond, 100 * 365 * 24 * kHour,
                   "A read of a key that expires makes it live at least so long from then on; absent = reads change "
                   "nothing."),
          Integer("hot_keys.tracked", "1000", 0, 100'000,
                  "Keys of each store that are counted for /hot-keys in each of the last five minutes; 0 = none."),
          Integer("hot_keys.sample", "16", 1, 10'000, "One request of so many is counted for /hot-keys."),
          Duration("stores.*.default_ttl", "", kMillisecond, 100 * 365 * 24 * kHour,
                   "Lifetime of entries written without a TTL of their own; left out = for ever."),
      });
}

void AddBackends(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Choice("backends.*.type", "rocksdb", {"memory", "rocksdb", "postgres", "redis"}, "What keeps the data."),
          Text("backends.*.path", "", "rocksdb: its folder, created when missing; default: the backend's name."),
          Duration(
              "backends.*.lock_wait", "0s", 0, kHour,
              "rocksdb: how long a start waits for another process that still has the folder open; 0 = not at all."),
          Choice("backends.*.durability", "sync", {"sync", "interval", "os"},
                 "rocksdb: what an acknowledged write survives. sync: loss of power; interval: the same but for the "
                 "last sync_interval; os: a crash of the process only."),
          Duration("backends.*.sync_interval", "100ms", kMillisecond, 60 * kSecond,
                   "rocksdb: time between two fsyncs with durability interval."),
          Bytes("backends.*.cache_size", "256Mi", kMi, 1024 * kGi, "rocksdb: memory for cached blocks."),
          Bytes("backends.*.entry_cache_size", "64Mi", 0, 1024 * kGi,
                "rocksdb: memory for entries of up to 4 KiB as gets give them, beside the blocks; 0 = none."),
          Choice(
              "backends.*.compression", "auto", {"auto", "none", "lz4", "snappy", "zstd", "pglz"},
              "Of large values, each by itself; rocksdb: also of the blocks that small ones share. auto: rocksdb and "
              "redis lz4; memory none, where a read shares what is stored and would have to unpack it instead; "
              "postgres as its column stands. postgres, which compresses by itself (TOAST): none, pglz or lz4; holds "
              "for what is written from then on. The others know no pglz."),
          Integer("backends.*.compression_level", "0", 0, 19,
                  "rocksdb, redis, memory: 0 = the codec's own default; lz4 up to 12, zstd up to 19, snappy has none."),
          Bytes("backends.*.compression_threshold", "1Ki", 1, kGi,
                "rocksdb, redis, memory: smaller values are not compressed by themselves; redis and memory never do "
                "below 64 bytes. postgres: the toast_tuple_target of its table, 128 to 8160, for whole rows, of which "
                "it looks at none below some 2 KB; left out = as the table stands."),
          Bytes("backends.*.block_size", "4Ki", kKi, 4 * kMi, "rocksdb: what one read fetches from a table file."),
          Integer("backends.*.bloom_bits", "10", 0, 32,
                  "rocksdb: bits for each key in the filters that spare reads of absent keys; 0 = no filters."),
          Bytes("backends.*.background_rate", "0", 0, 64 * kGi,
                "rocksdb: bytes that flushes and compactions write in a second at most; 0 = no limit."),
          Integer("backends.*.max_open_files", "1024", 64, 1'000'000, "rocksdb: table files held open."),
          Bytes("backends.*.write_buffer_size", "64Mi", kMi, 4 * kGi,
                "rocksdb: memory that collects writes before they become a file."),
          Integer("backends.*.max_write_buffers", "3", 2, 64, "rocksdb: write buffers at most."),
          Bytes("backends.*.max_log_size", "256Mi", kMi, 1024 * kGi,
                "rocksdb: write-ahead log at most; bounds what a start has to replay."),
          Integer("backends.*.background_threads", "2", 1, 256, "rocksdb: threads for flushes and compactions."),
          Choice(
              "backends.*.wal_recovery", "refuse", {"refuse", "point_in_time"},
              "rocksdb: what to do when the log is damaged. refuse: do not start; point_in_time: keep what stands in "
              "front of the damage and lose the rest."),
          Bytes("backends.*.max_bytes", "0", 0, 1024 * kGi,
                "memory: all entries together; above it entries are evicted, or a write is refused with 507. 0 = no "
                "limit."),
          Choice(
              "backends.*.eviction", "none", {"none", "lru", "lfu", "ttl"},
              "memory: what gives way at max_bytes. none: nothing, 507; lru: what was not used for longest; lfu: what "
              "is used least often; ttl: what expires next. Only keys that clients wrote are evicted, never locks or "
              "documents."),
      });
}

void AddLimits(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Bytes("limits.key", "512", 1, 4096, "Longest key: 400."),
          Bytes("limits.value", "10Mi", 1, kGi, "Largest value: 413."),
          Bytes("limits.metadata", "4Ki", 0, 64 * kKi, "Largest metadata document: 400."),
          Integer("limits.tags", "64", 0, 1024, "Most tags of one entry: 400."),
          Bytes("limits.tag", "128", 1, 4096, "Longest tag: 400."),
          Bytes("limits.content_type", "256", 1, 4096, "Longest content type: 400."),
          Integer("limits.batch_operations", "10000", 1, 10'000, "Most operations of a batch or transaction: 400."),
          Bytes("limits.batch_body", "64Mi", kKi, kGi, "Largest body of a batch or transaction: 413."),
          Bytes("limits.snapshot", "64Gi", kKi, 64 * 1024 * kGi,
                "Largest checkpoint that is sent to be restored (PUT snapshot): 413."),
          Bytes("limits.batch_response", "64Mi", kKi, kGi,
                "Values a batch may read; operations behind that are answered with 413 each."),
          Integer("limits.page_entries", "10000", 1, 10'000, "Largest `limit` of a list: 400."),
          Bytes("limits.page_bytes", "32Mi", kKi, kGi, "Keys and values of one page of a list; it ends early there."),
          Integer("limits.page_examined", "100000", 1'000, 100'000'000,
                  "Entries read for one page of a list with a filter or delimiter; it ends early there."),
          Integer("limits.collection_indexes", "16", 0, 64, "Most indexes of one collection: 400."),
          Integer("limits.index_depth", "8", 1, 64, "Most members of an indexed path; a.b.c has 3: 400."),
          Integer("limits.indexed_value", "256", 16, 512,
                  "Bytes of a string that a new index keeps; longer ones are looked up in the documents."),
          Integer("limits.documents_examined", "10000", 100, 10'000'000,
                  "Documents read for one page of a query, which ends early there, or for a count: 409."),
          Integer("limits.connections", "10000", 1, 1'000'000, "Open connections of the storage API: 503."),
          Integer("limits.connections_per_address", "0", 0, 1'000'000,
                  "Open connections of one client address: 503; 0 = as many as there may be."),
          Integer("limits.requests", "8192", 1, 1'000'000, "Requests that wait for a backend or an event: 503."),
          Integer(
              "limits.reserved_descriptors", "256", 0, 1'000'000,
              "Files that connections leave to others, beside backends.*.max_open_files, though never more than half "
              "of what the process may open (ulimit -n): 503."),
          Bytes("limits.request_line", "8Ki", 256, 64 * kKi, "Longest request line: 414."),
          Bytes("limits.header", "16Ki", kKi, kMi, "Largest header block: 431."),
          Integer("limits.header_count", "100", 1, 1000, "Most headers: 431."),
          Bytes("limits.trailer", "16Ki", 0, kMi, "Largest trailer of a chunked body: 431."),
          Bytes("limits.chunk_line", "256", 16, 8 * kKi, "Longest size of a chunk, extensions included: 400."),
          Integer("executor.queued_operations", "65536", 1, 10'000'000,
                  "Operations that wait for a backend; behind that 503."),
          Bytes("executor.queued_bytes", "256Mi", kMi, 64 * kGi,
                "Keys and values of the operations that wait for a backend; behind that 503."),
          Integer("executor.batch_operations", "512", 1, 10'000, "Operations that a backend gets at once."),
          Bytes("executor.batch_bytes", "8Mi", kKi, kGi, "Keys and values that a backend gets at once."),
          Integer("executor.gather_operations", "32", 1, 10'000,
                  "postgres, redis: a batch beside two others under way (redis: beside one) waits for so many."),
          Duration("executor.gather_time", "1ms", 0, kSecond,
                   "postgres, redis: but no longer than this; 0s = not at all."),
          Integer("executor.threads", "2", 1, 256, "Threads of a store for lists, counts and deletes by prefix."),
          Integer("executor.queued_tasks", "1024", 1, 1'000'000, "Lists and the like that wait; behind that 503."),
      });
}

void AddCoordination(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Bytes("locks.owner", "256", 1, kKi, "Longest owner of a lock or election: 400."),
          Integer("locks.waiters_per_lock", "1000", 1, 100'000, "Requests that wait for one lock: 503."),
          Integer("locks.waiters", "10000", 1, 1'000'000, "Requests that wait for the locks of a store: 503."),
          Integer("watch.history_events", "65536", 1, 10'000'000,
                  "Changes of a store that a watch can resume behind; one that is further back is told `compacted`."),
          Bytes("watch.history_bytes", "64Mi", 64 * kKi, 64 * kGi, "Keys and values of those changes."),
          Integer("streams.total", "10000", 1, 1'000'000,
                  "Open watches, subscriptions and observations of all stores: 503."),
          Integer("streams.per_namespace", "5000", 1, 1'000'000, "The same of one namespace: 429."),
          Duration("streams.heartbeat", "15s", 10 * kMillisecond, kHour, "Between two comments of a stream."),
          Bytes("channels.message", "64Ki", 1, 16 * kMi, "Largest message published to a channel: 413."),
          Integer("channels.queued_messages", "256", 1, 1'000'000,
                  "Messages that wait for one subscriber; the oldest are dropped and it is told `lagged`."),
          Bytes("channels.queued_bytes", "1Mi", kKi, kGi, "The same in bytes."),
          Bytes("channels.total_queued_bytes", "64Mi", kKi, 64 * kGi, "The same of all subscribers of a store."),
      });
}

void AddTimes(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Duration("timeouts.default", "10s", kMillisecond, kHour,
                   "Time for an answer when the request has no Holdfast-Timeout: 504."),
          Duration("timeouts.maximum", "5m", kMillisecond, 24 * kHour, "Largest Holdfast-Timeout: 400."),
          Duration("timeouts.header", "10s", 100 * kMillisecond, kHour,
                   "From the first byte of a request to the end of its headers: 408."),
          Duration("timeouts.body", "60s", 100 * kMillisecond, kHour,
                   "From the end of the headers to the end of the body: 408."),
          Duration("timeouts.idle", "75s", 100 * kMillisecond, 24 * kHour,
                   "Between two requests of a connection; then it is closed."),
          Duration("timeouts.write", "30s", 100 * kMillisecond, kHour,
                   "Without progress in sending an answer; then the connection is closed."),
          Duration("timeouts.linger", "2s", 100 * kMillisecond, 60 * kSecond,
                   "Behind the last answer of a connection, for the client to read it before it is closed."),
          Duration("transactions.default_timeout", "30s", kMillisecond, kHour,
                   "An interactive transaction is rolled back then, unless it asked for another timeout."),
          Duration("transactions.maximum_timeout", "5m", kMillisecond, 24 * kHour,
                   "Longest timeout of an interactive transaction: 400."),
          Integer("transactions.open", "1024", 1, 1'000'000, "Open interactive transactions: 503."),
          Integer("transactions.open_per_namespace", "256", 1, 1'000'000,
                  "Open interactive transactions of one namespace in one store: 503."),
          Integer("transactions.operations", "2000", 1, 2'500,
                  "Most operations of an interactive transaction; at most a quarter of limits.batch_operations: 400."),
          Bytes("transactions.bytes", "32Mi", kKi, kGi, "Keys and values that an interactive transaction holds: 413."),
          Bytes("transactions.total_bytes", "512Mi", kKi, 1024 * kGi,
                "Keys and values that all open interactive transactions hold together: 503."),
          Integer("transactions.savepoints", "64", 1, 10'000, "Savepoints of an interactive transaction: 400."),
          Duration("idempotency.ttl", "24h", kSecond, 365 * 24 * kHour,
                   "How long the answer to a request with an Idempotency-Key is kept."),
          Bytes(
              "idempotency.answer", "1Mi", kKi, kGi,
              "Longest answer that is kept for an Idempotency-Key; at most limits.value. A repeat of a request with a "
              "longer one is told outcome_unknown."),
          Duration("health.interval", "5s", 100 * kMillisecond, kHour, "Between two checks of a backend."),
          Duration("health.timeout", "5s", 100 * kMillisecond, kHour,
                   "A check without an answer for so long counts as unhealthy."),
          Duration("health.start", "60s", 100 * kMillisecond, 24 * kHour,
                   "Every backend must be healthy within this after the start; else exit 1."),
          Duration("shutdown.delay", "0s", 0, kHour,
                   "After SIGTERM or SIGINT /readyz is 503 and answers say Connection: close for so long before "
                   "connections are no longer accepted, so "
                   "that load balancers notice first."),
          Duration("shutdown.drain", "30s", 0, kHour,
                   "Requests in progress may finish for so long after SIGTERM or SIGINT."),
          Choice("log.level", "info", {"debug", "info", "warn", "error"}, "Least important lines that are written."),
          Choice("log.access", "off", {"off", "errors", "all"},
                 "One line for every request, or for those answered with 400 and above."),
          Text("tracing.endpoint", "",
               "OpenTelemetry collector that gets a span for every sampled request (OTLP over HTTP, JSON), such as "
               "http://collector:4318; empty = none."),
          Integer("tracing.sample_percent", "100", 0, 100,
                  "How many of the requests without a sampling decision of their own (traceparent) are traced."),
          Integer("tracing.queue", "4096", 1, 1'000'000, "Spans that wait for the collector; behind that dropped."),
          Duration("tracing.timeout", "5s", 10 * kMillisecond, kHour,
                   "How long the collector may take to answer; then what it was sent is given up. A stop waits for it "
                   "once."),
          Integer(
              "tracing.backend_calls", "64", 0, 10'000,
              "How many calls of backends have a span of their own in the trace of one request; further ones are only "
              "counted in the request's span. 0: none has."),
          Choice("log.format", "auto", {"auto", "json", "human"}, "auto: human on a terminal, else JSON lines."),
      });
}

void AddTenancy(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Choice("auth.mode", "none", {"none", "tokens", "serviceaccount", "both"},
                 "How callers prove who they are. none: they need not, and may do everything; tokens: by a token or "
                 "client certificate of auth.tokens_file; serviceaccount: by a ServiceAccount token of Kubernetes."),
          Text("auth.tokens_file", "", "Tokens and rules (docs/operations.md); needed unless auth.mode is none."),
          Duration("auth.reread_interval", "2s", 100 * kMillisecond, kHour,
                   "Between two looks at auth.tokens_file; a broken one changes nothing."),
          Text("auth.kubernetes_url", "",
               "Kubernetes API that reviews tokens; default: that of the cluster the service runs in."),
          Text("auth.kubernetes_ca_file", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
               "Authorities of the Kubernetes API, PEM."),
          Text("auth.kubernetes_token_file", "/var/run/secrets/kubernetes.io/serviceaccount/token",
               "The service's own token, which may create tokenreviews."),
          Text("auth.audience", "", "What ServiceAccount tokens must be meant for; default: the Kubernetes API."),
          Duration("auth.review_timeout", "5s", 100 * kMillisecond, 60 * kSecond,
                   "A review without an answer for so long: 503."),
          Integer("auth.review_threads", "4", 1, 64, "Reviews at the same time."),
          Integer("auth.review_queue", "256", 1, 100'000, "Tokens that wait for a review; behind that 503."),
          Integer("auth.cache_entries", "4096", 0, 1'000'000, "Good, and as many bad, tokens that are remembered."),
          Duration("auth.cache_ttl", "2m", 0, kHour, "A good token is not reviewed again for so long."),
          Duration("auth.refusal_ttl", "10s", 0, kHour, "A bad token is not reviewed again for so long."),
          Flag("audit.on", "false", "Whether changes are written to the audit log."),
          Integer("audit.max_entries", "10000", 1, 10'000'000, "Newest audit records kept in memory."),
          Text("audit.file", "", "File that every audit record is appended to as a JSON line; default: none."),
      });
}

void AddMigrations(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Duration("migrations.lock_timeout", "2s", 10 * kMillisecond, kHour,
                   "holdfast migrate: a statement that waits for a lock for so long is undone with its step and tried "
                   "again, because everybody else waits behind it."),
          Integer("migrations.lock_attempts", "30", 1, 10'000, "holdfast migrate: attempts at a step; then exit 1."),
          Duration("migrations.statement_timeout", "1h", 0, 24 * 30 * kHour,
                   "holdfast migrate: a statement that takes longer is undone with its step; 0 = no limit."),
          Duration("migrations.runner_wait", "5m", 0, 24 * kHour,
                   "holdfast migrate: how long to wait for another run that is in progress; then exit 1."),
          Duration("migrations.maintenance_interval", "1m", 0, 24 * kHour,
                   "serve: how often to look whether the schema of a PostgreSQL backend needs maintenance (partitions, "
                   "samples, statistics, vacuum); one instance does it. 0 = never."),
          Integer(
              "migrations.vacuum_dead_rows", "10000", 0, 1'000'000'000'000,
              "serve: a table with more dead rows than this and vacuum_dead_percent of its rows beside is vacuumed and "
              "analysed, if autovacuum did not come first and the role owns it. 0 = never."),
          Integer("migrations.vacuum_dead_percent", "10", 0, 1'000, "serve: see vacuum_dead_rows."),
      });
}

constexpr std::string_view kIntroduction = R"markdown(# Configuration of the state service

This page is printed by `holdfast check-config --markdown`; a test compares the two.

Settings come from, in rising order: the default, a YAML file (`--config FILE` or `HOLDFAST_CONFIG`), the environment, a
flag. `listen.port` is `listen: {port: 8080}` in the file, `HOLDFAST_LISTEN_PORT` in the environment and
`--listen.port=8080` as a flag. A row with a star holds for every name in its place and has no environment variable.

`holdfast check-config` reads them as `serve` would and prints the result. What is wrong is listed all at once, each with
its file and line, variable or flag; unknown names are refused with the nearest known one. Both commands then exit with 2.
Variables that Kubernetes sets for a Service called `holdfast` (`HOLDFAST_SERVICE_HOST`, `HOLDFAST_PORT=tcp://...`) are
left alone.

A running service reads them again on SIGHUP; [api.md](api.md#start-and-stop) says what it takes over then.

Without any setting the service keeps one RocksDB store `main` in `./holdfast-data/local` and answers on port 8080, to
everybody. On a machine that others can reach set `auth.mode`, or `listen.address` and `admin.address` to `127.0.0.1`, or
keep strangers out with a network policy.

```yaml
listen: {address: 0.0.0.0, port: 8080}
admin: {address: 0.0.0.0, port: 9090}
data_dir: /var/lib/holdfast
backends:
  local: {type: rocksdb, path: local, durability: sync, cache_size: 256Mi, compression: zstd}
  scratch: {type: memory, max_bytes: 1Gi}
  hot: {type: memory, max_bytes: 256Mi, eviction: lru}
stores:
  main: {backend: local}
  sessions: {backend: scratch, default_ttl: 1h}
  catalogue: {backend: local, cache: hot}   # copies of what is read, in memory
default_store: main
```

The status in "Meaning" is what a request beyond the limit is answered with.

)markdown";

}  // namespace

std::string ConfigurationMarkdown() {
  return std::string(kIntroduction) + SettingsTable().ToMarkdown();
}

const config::SettingsTable& SettingsTable() {
  static const config::SettingsTable table([] {
    std::vector<Setting> rows;
    AddPlaces(&rows);
    AddComposition(&rows);
    AddWriteQueue(&rows);
    AddFailover(&rows);
    AddReplicas(&rows);
    AddMoves(&rows);
    AddCheckpoints(&rows);
    AddBackups(&rows);
    AddBackupSource(&rows);
    AddChanges(&rows);
    AddBackends(&rows);
    AddPostgres(&rows);
    AddRedis(&rows);
    AddResilience(&rows);
    AddLimits(&rows);
    AddCoordination(&rows);
    AddLocks(&rows);
    AddTimes(&rows);
    AddMigrations(&rows);
    AddTenancy(&rows);
    return rows;
  }());
  return table;
}

}  // namespace holdfast::service
