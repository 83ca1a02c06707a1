// GET /conflicts: writes that the secondary backend of a store acknowledged and the primary did not take, that were
// queued and lost against another one, or that one replica of a store had and the store has not, within the caller's
// namespace.
#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"
#include "service/storage/failover_status.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMaxLimit = 1000;

void WriteConflict(std::string_view key, const storage::FailoverConflict& conflict, json::JsonWriter* json) {
  const storage::Entry* const entry = conflict.entry.get();
  const bool is_text = IsValidUtf8(key) && (entry == nullptr || IsValidUtf8(entry->value));
  const auto bytes = [&](std::string_view text) { return is_text ? std::string(text) : Base64Encode(text); };
  json->BeginObject().Key("key").String(bytes(key));
  if (!is_text) json->Key("encoding").String("base64");
  json->Key("deleted").Bool(entry == nullptr);
  if (conflict.base != 0) json->Key("replaced_etag").String(std::to_string(conflict.base));
  if (entry != nullptr) {
    json->Key("written_at").String(FormatTimestamp(entry->updated_at));
    json->Key("content_type").String(entry->content_type.empty() ? storage::kDefaultContentType : entry->content_type);
    json->Key("metadata").Raw(entry->metadata.empty() ? "{}" : entry->metadata);
    json->Key("value").String(bytes(entry->value));
  }
  json->EndObject();
}

Result<storage::FailoverConflicts> ConflictsOf(const storage::Store& store, const storage::KeyRange& keys,
                                               std::size_t most, Deadline deadline) {
  if (store.failover) return store.failover->Conflicts(keys, most, deadline);
  if (store.write_queue) return store.write_queue->Conflicts(keys, most, deadline);
  return store.replication->Conflicts(keys, most, deadline);
}

}  // namespace

void GetConflicts(ExchangePtr exchange) {
  const auto limit = ReadLimit(exchange->query(), kDefaultLimit, kMaxLimit);
  if (!limit.ok()) return exchange->Fail(limit.error());
  const storage::Store& store = exchange->store();
  if (store.failover == nullptr && store.replication == nullptr && store.write_queue == nullptr) {
    return exchange->Fail("not_supported",
                          "the store has no secondary backend, no replicas and no queue of writes, so nothing can have "
                          "been in conflict");
  }
  RunOnPool(std::move(exchange), [most = *limit](Exchange& running) {
    const storage::KeySpace& space = running.tenant().key_space;
    const auto found = ConflictsOf(running.store(), space.Wrap(storage::KeyRange::All()), most, running.deadline());
    if (!found.ok()) return running.Fail(found.error());
    json::JsonWriter json;
    json.BeginObject().Key("items").BeginArray();
    for (const storage::FailoverConflict& conflict : found->conflicts) {
      WriteConflict(space.Unwrap(conflict.key), conflict, &json);
    }
    json.EndArray().Key("complete").Bool(found->complete).EndObject();
    running.SendJson(200, json.Take());
  });
}

}  // namespace holdfast::api
