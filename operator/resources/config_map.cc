// The configuration of the state service, in the service's own keys (docs/configuration.md).
#include "base/config/yaml.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::resources {
namespace {

kube::Json BackendSettings(const api::BackendSpec& backend) {
  if (const api::MemoryBackend* memory = backend.memory()) {
    return {{"type", "memory"}, {"max_bytes", memory->max_bytes}};
  }
  const api::EmbeddedBackend& embedded = *backend.embedded();
  return {{"type", "rocksdb"},
          {"path", backend.name},
          {"durability", "sync"},
          {"cache_size", embedded.cache_size},
          {"compression", embedded.compression}};
}

kube::Json ServiceSettings(const api::StorageClusterSpec& spec) {
  kube::Json backends = kube::Json::object();
  for (const api::BackendSpec& backend : spec.backends) backends[backend.name] = BackendSettings(backend);
  kube::Json stores = kube::Json::object();
  for (const api::StoreSpec& store : spec.stores) {
    stores[store.name]["backend"] = store.backend;
    if (store.default_ttl) stores[store.name]["default_ttl"] = *store.default_ttl;
  }
  return {{"listen", {{"address", "0.0.0.0"}, {"port", kDataPort}}},
          {"admin", {{"address", "0.0.0.0"}, {"port", kAdminPort}}},
          {"data_dir", kDataPath},
          {"backends", std::move(backends)},
          {"stores", std::move(stores)},
          {"default_store", spec.default_store}};
}

}  // namespace

kube::Json BuildConfigMap(const api::StorageCluster& cluster) {
  kube::Json object = ChildObject(cluster, kube::kinds::kConfigMap, ConfigMapName(cluster.name));
  object["data"][kConfigFile] = config::ToYaml(ServiceSettings(cluster.spec));
  return object;
}

}  // namespace holdfast::resources
