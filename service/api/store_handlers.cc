// What the stores are and how they do, and the API's own description.
#include <algorithm>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/submit.h"
#include "service/execution/executor.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

using storage::Store;

void WriteCapabilities(const storage::Capabilities& capabilities, json::JsonWriter* json) {
  json->Key("capabilities").BeginObject();
  json->Key("transactions").Bool(capabilities.transactions);
  json->Key("transactions_span_keys").Bool(capabilities.transactions && capabilities.transactions_span_keys);
  json->Key("durable_ack").Bool(capabilities.durable_ack);
  json->Key("versions_final").Bool(capabilities.versions_final);
  json->Key("ordered_scan").Bool(capabilities.ordered_scan);
  json->Key("locks").Bool(capabilities.transactions);
  json->Key("fencing_survives_failover").Bool(capabilities.fencing_survives_failover);
  json->Key("snapshots").String(storage::ConsistencyName(capabilities.snapshots));
  json->Key("watch").Bool(true).Key("channels").Bool(true);
  // Watches and channels know what passes through this process.
  json->Key("events_span_instances").Bool(false);
  json->EndObject();
}

void WriteLimits(const storage::Limits& limits, const ApiOptions& options, json::JsonWriter* json) {
  json->Key("limits").BeginObject();
  json->Key("key_bytes").Unsigned(limits.max_key_bytes).Key("value_bytes").Unsigned(limits.max_value_bytes);
  json->Key("metadata_bytes").Unsigned(limits.max_metadata_bytes).Key("tags").Unsigned(limits.max_tags);
  json->Key("tag_bytes").Unsigned(limits.max_tag_bytes);
  json->Key("content_type_bytes").Unsigned(limits.max_content_type_bytes);
  json->Key("batch_operations").Unsigned(limits.max_operations);
  json->Key("batch_body_bytes").Unsigned(options.max_batch_body_bytes);
  json->Key("page_entries").Unsigned(std::min(limits.max_scan_entries, options.max_page_entries));
  json->Key("page_bytes").Unsigned(limits.max_scan_bytes);
  json->EndObject();
}

void WriteHealth(const Store& store, const HealthReport& health, json::JsonWriter* json) {
  const auto found = std::find_if(health.backends.begin(), health.backends.end(),
                                  [&](const BackendHealth& backend) { return backend.name == store.health_name(); });
  const bool healthy = found != health.backends.end() && found->healthy;
  json->Key("health").BeginObject().Key("status").String(healthy ? "healthy" : "unhealthy");
  if (found != health.backends.end() && !found->error.empty()) {
    json->Key("error").String(IsValidUtf8(found->error) ? found->error : Base64Encode(found->error));
  }
  json->EndObject();
}

void WriteStatistics(const Store& store, const CallTally& tally, json::JsonWriter* json) {
  const storage::Statistics statistics = store.backend->statistics();
  json->Key("statistics").BeginObject();
  json->Key("entries").Unsigned(statistics.entries).Key("entries_estimated").Bool(statistics.entries_estimated);
  json->Key("bytes").Unsigned(statistics.bytes).Key("expired_removed").Unsigned(statistics.expired_removed);
  json->Key("evicted").Unsigned(statistics.evicted);
  json->Key("cache_hits").Unsigned(statistics.cache_hits).Key("cache_misses").Unsigned(statistics.cache_misses);
  json->Key("uncompressed_bytes").Unsigned(statistics.uncompressed_bytes);
  json->Key("compressed_bytes").Unsigned(statistics.compressed_bytes);
  if (statistics.disk) {
    json->Key("live_bytes").Unsigned(statistics.disk->live_bytes);
    json->Key("pending_compaction_bytes").Unsigned(statistics.disk->pending_compaction_bytes);
    json->Key("compactions").Unsigned(statistics.disk->compactions);
  }
  json->Key("operations").BeginObject();
  for (std::size_t i = 0; i < kCallKinds; ++i) {
    const auto call = static_cast<Call>(i);
    json->Key(CallName(call)).Unsigned(tally.Total(call));
  }
  json->EndObject().EndObject();
}

void WriteText(std::string_view key, const std::string& text, json::JsonWriter* json) {
  if (!text.empty()) json->Key(key).String(IsValidUtf8(text) ? text : Base64Encode(text));
}

void WriteFailover(const Store& store, json::JsonWriter* json) {
  const storage::FailoverStatus status = store.failover->status();
  json->Key("composition").BeginObject().Key("failover").BeginObject();
  json->Key("primary").String(store.backend_name).Key("secondary").String(status.secondary);
  json->Key("mode").String(status.mode).Key("serving").String(status.serving);
  json->Key("since").String(FormatTimestamp(status.since));
  WriteText("reason", status.reason, json);
  json->Key("copy").BeginObject().Key("complete").Bool(status.copy_complete);
  if (status.copy_lag) {
    json->Key("lag_ms").Unsigned(
        static_cast<std::uint64_t>(std::max<std::int64_t>(status.copy_lag->count(), 0) / 1000));
  }
  json->Key("pending_keys").Unsigned(status.pending_keys).Key("comparing").Bool(status.comparing).EndObject();
  json->Key("journal_keys").Unsigned(status.journal_entries).Key("replayed").Unsigned(status.replayed);
  json->Key("conflicts").Unsigned(status.conflicts).Key("refused_writes").Unsigned(status.refused_writes);
  json->Key("switches").Unsigned(status.switches).EndObject().EndObject();
}

void WriteQueue(const Store& store, json::JsonWriter* json) {
  if (store.write_queue == nullptr) {
    json->Key("write").String("through");
    return;
  }
  const storage::WriteQueueStatus status = store.write_queue->status();
  json->Key("write").String(status.mode).Key("queue").BeginObject();
  json->Key("entries").Unsigned(status.entries).Key("bytes").Unsigned(status.bytes);
  json->Key("oldest_ms").Unsigned(static_cast<std::uint64_t>(status.oldest.count() / 1000));
  json->Key("away").Bool(status.away);
  WriteText("reason", status.reason, json);
  json->Key("drained").Unsigned(status.drained).Key("coalesced").Unsigned(status.coalesced);
  json->Key("conflicts").Unsigned(status.conflicts).Key("retries").Unsigned(status.retries);
  json->Key("refused").Unsigned(status.refused).EndObject();
}

void WriteComparison(const storage::ReplicaComparisonStatus& status, json::JsonWriter* json) {
  if (!status.enabled) return;
  json->Key("compare").BeginObject();
  json->Key("rounds").Unsigned(status.rounds).Key("unfinished").Unsigned(status.unfinished);
  json->Key("keys").Unsigned(status.keys).Key("mended").Unsigned(status.mended);
  json->Key("undecided").Unsigned(status.undecided);
  if (status.rounds + status.unfinished > 0) json->Key("ended").String(FormatTimestamp(status.ended));
  WriteText("reason", status.reason, json);
  json->EndObject();
}

void WriteReplication(const Store& store, json::JsonWriter* json) {
  const storage::ReplicationStatus status = store.replication->status();
  json->Key("composition").BeginObject().Key("replicated").BeginObject();
  json->Key("mode").String(status.mode);
  json->Key("write_quorum").Unsigned(status.write_quorum).Key("read_quorum").Unsigned(status.read_quorum);
  json->Key("term").Unsigned(status.term);
  WriteText("reason", status.reason, json);
  json->Key("replicas").BeginArray();
  for (const storage::ReplicaStatus& replica : status.replicas) {
    json->BeginObject().Key("backend").String(replica.name).Key("standing").String(replica.standing);
    json->Key("leader").Bool(replica.leader).Key("since").String(FormatTimestamp(replica.since));
    WriteText("reason", replica.reason, json);
    json->Key("waiting_batches").Unsigned(replica.waiting_batches).EndObject();
  }
  json->EndArray().Key("in_doubt").Unsigned(status.in_doubt);
  json->Key("comparisons").Unsigned(status.comparisons).Key("copied").Unsigned(status.copied);
  json->Key("divergences").Unsigned(status.divergences).Key("conflicts").Unsigned(status.conflicts);
  json->Key("leader_changes").Unsigned(status.leader_changes);
  WriteComparison(status.compare, json);
  json->EndObject().EndObject();
}

void WriteStore(const Store& store, const CallTally& tally, const ApiContext& context, const HealthReport& health,
                json::JsonWriter* json) {
  const storage::Capabilities capabilities = store.backend->capabilities();
  json->BeginObject().Key("name").String(store.name);
  json->Key("default").Bool(store.name == context.stores->default_store().name);
  json->Key("backend").String(store.backend_name).Key("kind").String(store.backend->kind());
  if (!store.cache_name.empty()) {
    json->Key("composition").BeginObject().Key("tiered").BeginObject();
    json->Key("cache").String(store.cache_name).Key("store").String(store.backend_name);
    WriteQueue(store, json);
    json->EndObject().EndObject();
  }
  if (!store.lock_backends.empty()) {
    json->Key("lock_quorum").BeginObject().Key("backends").BeginArray();
    for (const std::string& name : store.lock_backends) json->String(name);
    json->EndArray().Key("majority").Unsigned(store.lock_backends.size() / 2 + 1).EndObject();
  }
  if (store.failover) WriteFailover(store, json);
  if (store.replication) WriteReplication(store, json);
  json->Key("durability").String(capabilities.durability);
  if (const auto ttl = store.ttls->default_ttl()) json->Key("default_ttl").String(FormatDuration(*ttl));
  WriteCapabilities(capabilities, json);
  WriteLimits(store.limits, context.options, json);
  WriteHealth(store, health, json);
  WriteStatistics(store, tally, json);
  json->EndObject();
}

}  // namespace

void ListStores(ExchangePtr exchange) {
  // Statistics of a disk may take a while: not on the thread that reads the network.
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  const ApiContext& context = shared->context();
  const bool queued = context.stores->default_store().executor->Run([shared, &context] {
    const HealthReport health = context.health();
    json::JsonWriter json;
    json.BeginObject().Key("stores").BeginArray();
    for (std::size_t i = 0; i < context.stores->stores().size(); ++i) {
      WriteStore(context.stores->stores()[i], *context.tallies[i], context, health, &json);
    }
    json.EndArray().EndObject();
    shared->SendJson(200, json.Take());
  });
  if (!queued) shared->FailBusy();
}

void GetStore(ExchangePtr exchange) {
  RunOnPool(std::move(exchange), [](Exchange& running) {
    json::JsonWriter json;
    WriteStore(running.store(), running.tally(), running.context(), running.context().health(), &json);
    running.SendJson(200, json.Take());
  });
}

void GetOpenApi(ExchangePtr exchange) {
  const std::string& document = exchange->context().openapi;
  exchange->SendJson(200, document);
}

}  // namespace holdfast::api
