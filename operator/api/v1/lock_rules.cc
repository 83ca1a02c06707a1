#include "operator/api/v1/lock_rules.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "operator/api/v1/redis_rules.h"
#include "operator/api/v1/store_rules.h"

namespace holdfast::api {
namespace {

// "stores[i].lockBackends[j]" of every backend named there that is not `good`.
std::vector<std::string> PathsUnless(const Json& spec, const std::function<bool(const Json& name)>& good) {
  std::vector<std::string> paths;
  const Json& stores = spec.at("stores");
  for (std::size_t i = 0; i < stores.size(); ++i) {
    const Json names = stores[i].value("lockBackends", Json::array());
    for (std::size_t j = 0; j < names.size(); ++j) {
      if (good(names[j])) continue;
      paths.push_back("stores[" + std::to_string(i) + "].lockBackends[" + std::to_string(j) + "]");
    }
  }
  return paths;
}

}  // namespace

Rule LockBackendsAreOddRule() {
  return {.cel = "self.size() % 2 == 1",
          .message =
              "must name an odd number of backends, from 3 to 9, so that a majority outlives the loss of one: "
              "one more than an odd number outlives no more; add a backend, or remove one",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (self.size() % 2 == 1) return {};
            return {""};
          }};
}

Rule LockBackendsDifferRule() {
  return {.cel = "self.all(one, self.exists_one(other, other == one))",
          .message = "names a backend twice: each server has one vote; name another backend",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const std::set<Json> different(self.begin(), self.end());
            if (different.size() == self.size()) return {};
            return {""};
          }};
}

Rule LockBackendsAreImmutableRule() {
  return {.cel =
              "has(self.lockBackends) == has(oldSelf.lockBackends) && (!has(self.lockBackends) || "
              "self.lockBackends == oldSelf.lockBackends)",
          .message =
              "lockBackends cannot change while pods serve the store: two that ask different servers may grant "
              "the same lock; take the store out of the spec, and put it back with other lockBackends when "
              "every pod has been replaced and its locks have expired",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            if (self.value("lockBackends", Json()) == old->value("lockBackends", Json())) return {};
            return {"lockBackends"};
          },
          .transition = true};
}

Rule LockBackendsAreDurableServersRule() {
  return {.cel =
              "self.stores.all(s, !has(s.lockBackends) || s.lockBackends.all(n, self.backends.exists(b, "
              "b.name == n && has(b.redis) && !has(b.redis.external) && " +
              DurableServerInCel() + ")))",
          .message =
              "stores[].lockBackends must name redis backends of this spec, of mode Standalone with "
              "persistence.appendOnly true and persistence.fsync always: a failover, or a restart, would forget locks "
              "that were granted; change the backend, or name another",
          .broken_at =
              [](const Json& self, const Json*) {
                return PathsUnless(self, [&](const Json& name) {
                  const Json& backends = self.at("backends");
                  return std::any_of(backends.begin(), backends.end(), [&](const Json& backend) {
                    return backend.at("name") == name && backend.contains("redis") &&
                           !backend.at("redis").contains("external") && IsDurableServer(backend.at("redis"));
                  });
                });
              },
          .field_path = ".stores"};
}

Rule LockBackendsKeepNothingElseRule() {
  return {.cel =
              "self.backends.all(b, !self.stores.exists(s, has(s.lockBackends) && b.name in s.lockBackends) || "
              "self.stores.all(s, " +
              RecordInCel() + " != b.name && (!has(s.tiered) || s.tiered.cache != b.name)))",
          .message =
              "stores[].lockBackends must not name the backend or the cache of a store: locks need servers of their "
              "own, which no store can fill; add a redis backend for them",
          .broken_at =
              [](const Json& self, const Json*) {
                return PathsUnless(self, [&](const Json& name) {
                  const Json& stores = self.at("stores");
                  return std::none_of(stores.begin(), stores.end(), [&](const Json& store) {
                    return RecordOf(store) == name ||
                           (store.contains("tiered") && store.at("tiered").at("cache") == name);
                  });
                });
              },
          .field_path = ".stores"};
}

}  // namespace holdfast::api
