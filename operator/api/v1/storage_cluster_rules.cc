#include "operator/api/v1/storage_cluster_rules.h"

#include <algorithm>
#include <regex>

#include "base/config/settings.h"

namespace holdfast::api {
namespace {

constexpr char kHere[] = "";

std::string Index(const char* list, std::size_t i, const char* rest) {
  return std::string(list) + "[" + std::to_string(i) + "]" + rest;
}

const Json* FindNamed(const Json& list, const Json& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Json& item) { return item.at("name") == name; });
  return found == list.end() ? nullptr : &*found;
}

std::string StorageClassOf(const Json& storage) {
  return storage.value("storageClassName", std::string());
}

bool IsProvisioned(const Json& backend, const char* kind) {
  return backend.contains(kind) && !backend.at(kind).contains("external");
}

}  // namespace

Rule ClusterNameRule() {
  return {.cel = "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')",
          .message =
              "metadata.name must be at most 40 lower-case letters, digits and dashes, begin with a letter and not end "
              "with a dash: Services, pods and labels are named after it",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            static const std::regex pattern("^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$");
            const std::string name = self.value("metadata", Json::object()).value("name", std::string());
            if (name.size() <= 40 && std::regex_match(name, pattern)) return {};
            return {"metadata.name"};
          }};
}

Rule DefaultStoreExistsRule() {
  return {.cel = "!has(self.defaultStore) || self.stores.exists(s, s.name == self.defaultStore)",
          .message = "defaultStore must be the name of an entry of spec.stores",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("defaultStore") || FindNamed(self.at("stores"), self.at("defaultStore"))) return {};
            return {"defaultStore"};
          },
          .field_path = ".defaultStore"};
}

Rule OneStorageClassRule() {
  const std::string class_of = "(has($.embedded.storage.storageClassName) ? $.embedded.storage.storageClassName : '')";
  const auto of = [&](const char* variable) {
    return std::regex_replace(class_of, std::regex("[$]"), std::string(variable));
  };
  return {.cel = "self.backends.all(a, !has(a.embedded) || self.backends.all(b, !has(b.embedded) || " + of("a") +
                 " == " + of("b") + "))",
          .message =
              "embedded backends are on volumes of one class, and most share one volume, so their "
              "storage.storageClassName must be the same, or absent in all",
          .broken_at =
              [](const Json& self, const Json*) {
                std::vector<std::string> broken;
                const Json& backends = self.at("backends");
                const Json* first = nullptr;
                for (std::size_t i = 0; i < backends.size(); ++i) {
                  if (!backends[i].contains("embedded")) continue;
                  const Json& storage = backends[i].at("embedded").at("storage");
                  if (first == nullptr) {
                    first = &storage;
                  } else if (StorageClassOf(*first) != StorageClassOf(storage)) {
                    broken.push_back(Index("backends", i, ".embedded.storage.storageClassName"));
                  }
                }
                return broken;
              },
          .field_path = ".backends"};
}

Rule AutoscalingBoundsRule() {
  return {.cel = "self.minReplicas <= self.maxReplicas",
          .message = "minReplicas must not be above maxReplicas",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (self.at("minReplicas").get<std::int64_t>() <= self.at("maxReplicas").get<std::int64_t>()) return {};
            return {"minReplicas"};
          },
          .field_path = ".minReplicas"};
}

Rule OperatorSecretNeedsClientAuthorityRule() {
  return {.cel = "!has(self.operatorSecretName) || has(self.clientCA)",
          .message = "operatorSecretName is asked for by nobody without clientCA: name that too, or leave both out",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("operatorSecretName") || self.contains("clientCA")) return {};
            return {"operatorSecretName"};
          },
          .field_path = ".operatorSecretName"};
}

Rule BackendKeepsItsKindRule() {
  return {.cel =
              "has(self.embedded) == has(oldSelf.embedded) && (has(self.postgres) && !has(self.postgres.external)) "
              "== (has(oldSelf.postgres) && !has(oldSelf.postgres.external)) && (has(self.redis) && "
              "!has(self.redis.external)) == (has(oldSelf.redis) && !has(oldSelf.redis.external))",
          .message = "a backend keeps its kind, because its data lives there: add a backend under another name instead",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            const bool same = self.contains("embedded") == old->contains("embedded") &&
                              IsProvisioned(self, "postgres") == IsProvisioned(*old, "postgres") &&
                              IsProvisioned(self, "redis") == IsProvisioned(*old, "redis");
            if (same) return {};
            return {kHere};
          },
          .transition = true};
}

Rule StorageOnlyGrowsRule() {
  return {.cel = "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
          .message = "size can only grow: volumes cannot shrink",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            const auto now = config::ParseBytes(self.at("size").get<std::string>());
            const auto before = config::ParseBytes(old->value("size", std::string("0")));
            if (!now.ok() || !before.ok() || *now >= *before) return {};
            return {"size"};
          },
          .transition = true,
          .field_path = ".size"};
}

Rule AutogrowHasRoomRule() {
  return {.cel = "!has(self.autogrow) || quantity(self.autogrow.maxSize).compareTo(quantity(self.size)) >= 0",
          .message = "autogrow.maxSize must not be below size; raise it, or remove autogrow",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("autogrow")) return {};
            const auto size = config::ParseBytes(self.at("size").get<std::string>());
            const auto most = config::ParseBytes(self.at("autogrow").at("maxSize").get<std::string>());
            if (!size.ok() || !most.ok() || *most >= *size) return {};
            return {"autogrow.maxSize"};
          },
          .field_path = ".autogrow.maxSize"};
}

Rule StorageClassIsImmutableRule() {
  return {
      .cel =
          "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || "
          "self.storageClassName == oldSelf.storageClassName)",
      .message = "storageClassName cannot change: the volume is there already; make a new cluster and copy the data",
      .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
        if (StorageClassOf(self) == StorageClassOf(*old)) return {};
        return {"storageClassName"};
      },
      .transition = true};
}

}  // namespace holdfast::api
