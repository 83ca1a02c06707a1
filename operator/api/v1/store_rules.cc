#include "operator/api/v1/store_rules.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "operator/api/v1/redis_fields.h"

namespace holdfast::api {
namespace {

constexpr char kReadWrite[] = "ReadWrite";

// In CEL, of a store `s`: the backend that keeps its entries, and whether a backend `b` keeps what the store has beside
// these: copies, replicas, writes that wait.
constexpr std::string_view kRecord =
    "(has(s.backend) ? s.backend : has(s.tiered) ? s.tiered.store : has(s.failover) ? s.failover.primary : "
    "has(s.replicated) ? s.replicated.backends[0] : '')";
constexpr std::string_view kCopies =
    "((has(s.tiered) && (s.tiered.cache == b.name || (has(s.tiered.writeQueue) && s.tiered.writeQueue == b.name))) || "
    "(has(s.failover) && s.failover.secondary == b.name) || "
    "(has(s.replicated) && b.name in s.replicated.backends))";

// "$record" and "$copies" in a rule of CEL.
std::string Cel(std::string text) {
  for (const auto& [name, meaning] : {std::pair{std::string_view("$record"), kRecord}, {"$copies", kCopies}}) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + meaning.size())) {
      text.replace(at, name.size(), meaning);
    }
  }
  return text;
}

const Json* FindNamed(const Json& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Json& item) { return item.at("name") == name; });
  return found == list.end() ? nullptr : &*found;
}

struct Reference {
  std::string path;  // within the store
  std::string backend;
};

// Every place where a store names a backend; the one that keeps its entries first.
std::vector<Reference> References(const Json& store) {
  std::vector<Reference> references;
  const auto add = [&](const char* path, const Json& backend) {
    references.push_back({path, backend.get<std::string>()});
  };
  if (store.contains("backend")) add("backend", store.at("backend"));
  if (store.contains("tiered")) {
    add("tiered.store", store.at("tiered").at("store"));
    add("tiered.cache", store.at("tiered").at("cache"));
    if (store.at("tiered").contains("writeQueue")) add("tiered.writeQueue", store.at("tiered").at("writeQueue"));
  }
  if (store.contains("failover")) {
    add("failover.primary", store.at("failover").at("primary"));
    add("failover.secondary", store.at("failover").at("secondary"));
  }
  if (store.contains("replicated")) {
    for (const Json& backend : store.at("replicated").at("backends")) add("replicated.backends", backend);
  }
  return references;
}

bool HasCopies(const Json& store, const std::string& backend) {
  const std::vector<Reference> references = References(store);
  return !references.empty() && std::any_of(references.begin() + 1, references.end(),
                                            [&](const Reference& reference) { return reference.backend == backend; });
}

// "stores[i].<what>" of every store of which `broken` names a place.
std::vector<std::string> Paths(const Json& spec, const std::function<std::string(const Json& store)>& broken) {
  std::vector<std::string> paths;
  const Json& stores = spec.at("stores");
  for (std::size_t i = 0; i < stores.size(); ++i) {
    if (std::string what = broken(stores[i]); !what.empty()) {
      paths.push_back("stores[" + std::to_string(i) + "]." + what);
    }
  }
  return paths;
}

bool HasKind(const Json& spec, const std::string& backend, const char* kind) {
  const Json* found = FindNamed(spec.at("backends"), backend);
  return found != nullptr && found->contains(kind);
}

// Whether each pod would have entries of its own.
bool KeepsOwnData(const Json& spec) {
  return std::any_of(spec.at("stores").begin(), spec.at("stores").end(), [&](const Json& store) {
    const std::string record = RecordOf(store);
    const std::vector<Reference> references = References(store);
    return HasKind(spec, record, "memory") ||
           std::any_of(references.begin(), references.end(),
                       [&](const Reference& reference) { return HasKind(spec, reference.backend, "embedded"); });
  });
}

Rule OfTwoBackends(const std::string& one, const std::string& other) {
  return {.cel = "self." + one + " != self." + other,
          .message = other + " must be another backend than " + one,
          .broken_at = [one, other](const Json& self, const Json*) -> std::vector<std::string> {
            if (self.at(one) != self.at(other)) return {};
            return {other};
          },
          .field_path = "." + other};
}

}  // namespace

std::string RecordOf(const Json& store) {
  const std::vector<Reference> references = References(store);
  return references.empty() ? std::string() : references.front().backend;
}

std::string RecordInCel() {
  return std::string(kRecord);
}

bool Uses(const Json& store, const std::string& backend) {
  const std::vector<Reference> references = References(store);
  return std::any_of(references.begin(), references.end(),
                     [&](const Reference& reference) { return reference.backend == backend; });
}

std::string UsesInCel() {
  return Cel("$record == b.name || $copies");
}

Rule TieredOfTwoBackendsRule() {
  return OfTwoBackends("store", "cache");
}

Rule FailoverOfTwoBackendsRule() {
  return OfTwoBackends("primary", "secondary");
}

Rule StoresReferToBackendsRule() {
  return {.cel =
              "self.stores.all(s, (!has(s.backend) || self.backends.exists(b, b.name == s.backend)) && "
              "(!has(s.tiered) || (self.backends.exists(b, b.name == s.tiered.store) && "
              "self.backends.exists(b, b.name == s.tiered.cache))) && "
              "(!has(s.tiered) || !has(s.tiered.writeQueue) || "
              "self.backends.exists(b, b.name == s.tiered.writeQueue)) && "
              "(!has(s.failover) || (self.backends.exists(b, b.name == s.failover.primary) && "
              "self.backends.exists(b, b.name == s.failover.secondary))) && "
              "(!has(s.replicated) || "
              "s.replicated.backends.all(n, self.backends.exists(b, b.name == n))))",
          .message =
              "stores[] must name entries of spec.backends: as backend, tiered.store, tiered.cache, tiered.writeQueue, "
              "failover.primary, failover.secondary and in replicated.backends",
          .broken_at =
              [](const Json& self, const Json*) {
                return Paths(self, [&](const Json& store) -> std::string {
                  for (const Reference& reference : References(store)) {
                    if (FindNamed(self.at("backends"), reference.backend) == nullptr) return reference.path;
                  }
                  return {};
                });
              },
          .field_path = ".stores"};
}

Rule ComposedStoresOverRedisRule() {
  return {
      .cel = Cel("self.stores.all(s, !(has(s.tiered) || has(s.failover)) || self.backends.all(b, b.name != $record || "
                 "!has(b.redis) || (has(s.tiered) && !has(s.tiered.writeQueue) && "
                 "(!has(b.redis.mode) || b.redis.mode != 'Cluster'))))"),
      .message =
          "a redis can be tiered.store with mode Standalone or Sentinel and without writeQueue, and is never "
          "failover.primary, for which it may lose too much; set these, name an embedded, memory or postgres backend, "
          "or use backend",
      .broken_at =
          [](const Json& self, const Json*) {
            return Paths(self, [&](const Json& store) -> std::string {
              if (!store.contains("tiered") && !store.contains("failover")) return {};
              const Json* const record = FindNamed(self.at("backends"), RecordOf(store));
              if (record == nullptr || !record->contains("redis")) return {};
              const bool near = store.contains("tiered") && !store.at("tiered").contains("writeQueue") &&
                                record->at("redis").value("mode", std::string()) != kRedisClusterMode;
              return near ? std::string() : References(store).front().path;
            });
          },
      .field_path = ".stores"};
}

Rule MemoryCacheIsOnlyCacheRule() {
  return {.cel = Cel("self.backends.all(b, !has(b.memory) || "
                     "!self.stores.exists(s, has(s.tiered) && s.tiered.cache == b.name) || "
                     "self.stores.all(s, $record != b.name && "
                     "!(has(s.failover) && s.failover.secondary == b.name)))"),
          .message =
              "a memory backend that is the cache of a store gives up entries when it is full: it cannot keep a "
              "store or be a secondary as well; add a memory backend of another name for that",
          .broken_at =
              [](const Json& self, const Json*) {
                return Paths(self, [&](const Json& store) -> std::string {
                  if (!store.contains("tiered")) return {};
                  const std::string cache = store.at("tiered").at("cache").get<std::string>();
                  if (!HasKind(self, cache, "memory")) return {};
                  const bool alone =
                      std::none_of(self.at("stores").begin(), self.at("stores").end(), [&](const Json& other) {
                        return RecordOf(other) == cache ||
                               (other.contains("failover") && other.at("failover").at("secondary") == cache);
                      });
                  return alone ? std::string() : "tiered.cache";
                });
              },
          .field_path = ".stores"};
}

Rule SecondaryBelongsToPodRule() {
  return {.cel =
              "self.stores.all(s, !has(s.failover) || self.backends.all(b, b.name != s.failover.secondary || "
              "has(b.embedded) || (has(b.memory) && s.failover.mode != 'ReadWrite')))",
          .message =
              "failover.secondary must be an embedded or memory backend, which belongs to the pod, and embedded for "
              "mode ReadWrite, which must not lose what it acknowledged; add such a backend",
          .broken_at =
              [](const Json& self, const Json*) {
                return Paths(self, [&](const Json& store) -> std::string {
                  if (!store.contains("failover")) return {};
                  const std::string secondary = store.at("failover").at("secondary").get<std::string>();
                  const bool writes = store.at("failover").at("mode") == kReadWrite;
                  const Json* backend = FindNamed(self.at("backends"), secondary);
                  if (backend == nullptr || backend->contains("embedded")) return {};
                  return backend->contains("memory") && !writes ? std::string() : "failover.secondary";
                });
              },
          .field_path = ".stores"};
}

Rule OneReplicaPerOwnDataRule() {
  return {.cel = Cel("self.service.replicas <= 1 || !self.stores.exists(s, self.backends.exists(b, "
                     "(b.name == $record && (has(b.embedded) || has(b.memory))) || ($copies && has(b.embedded))))"),
          .message =
              "service.replicas must be 0 or 1 while a store is on an embedded or memory backend, or has copies or a "
              "queue on an embedded one: each replica would have data of its own, and would take it along when it "
              "goes",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (self.at("service").at("replicas").get<std::int64_t>() <= 1 || !KeepsOwnData(self)) return {};
            return {"service.replicas"};
          },
          .field_path = ".service.replicas"};
}

Rule AutoscalingNeedsSharedDataRule() {
  return {.cel = Cel("!has(self.service.autoscaling) || self.backends.all(b, has(b.postgres) || has(b.redis) || "
                     "(has(b.memory) && self.stores.exists(s, $copies) && self.stores.all(s, $record != b.name)))"),
          .message =
              "service.autoscaling needs every backend to be postgres or redis, or memory that keeps only copies: "
              "others live inside one pod; remove autoscaling or those backends",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.at("service").contains("autoscaling")) return {};
            const Json& stores = self.at("stores");
            for (const Json& backend : self.at("backends")) {
              if (backend.contains("postgres") || backend.contains("redis")) continue;
              const std::string name = backend.at("name").get<std::string>();
              const auto copies = [&](const Json& store) { return HasCopies(store, name); };
              const auto keeps = [&](const Json& store) { return RecordOf(store) == name; };
              if (backend.contains("memory") && std::any_of(stores.begin(), stores.end(), copies) &&
                  std::none_of(stores.begin(), stores.end(), keeps)) {
                continue;
              }
              return {"service.autoscaling"};
            }
            return {};
          },
          .field_path = ".service.autoscaling"};
}

}  // namespace holdfast::api
