#include "operator/resources/build.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "operator/resources/names.h"

namespace holdfast::resources {

std::vector<DesiredObject> BuildObjects(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json config = BuildConfigMap(cluster);
  const std::string checksum = Hash(config.at("data"));
  std::vector<DesiredObject> objects;
  objects.push_back({kube::kinds::kServiceAccount, BuildServiceAccount(cluster)});
  objects.push_back({kube::kinds::kConfigMap, std::move(config)});
  objects.push_back({kube::kinds::kService, BuildHeadlessService(cluster)});
  objects.push_back({kube::kinds::kService, BuildClientService(cluster)});
  objects.push_back({kube::kinds::kPodDisruptionBudget, BuildPodDisruptionBudget(cluster)});
  objects.push_back({kube::kinds::kStatefulSet, BuildStatefulSet(cluster, options, checksum)});
  return objects;
}

const std::vector<kube::ResourceKind>& ChildKinds() {
  static const std::vector<kube::ResourceKind> kinds = {kube::kinds::kServiceAccount, kube::kinds::kConfigMap,
                                                        kube::kinds::kService, kube::kinds::kPodDisruptionBudget,
                                                        kube::kinds::kStatefulSet};
  return kinds;
}

kube::Json OwnerReferences(const api::StorageCluster& cluster) {
  return kube::Json::array({{{"apiVersion", api::kApiVersion},
                             {"kind", api::kStorageClusterKind},
                             {"name", cluster.name},
                             {"uid", cluster.uid},
                             {"controller", true},
                             {"blockOwnerDeletion", true}}});
}

kube::Json ChildObject(const api::StorageCluster& cluster, const kube::ResourceKind& kind, const std::string& name) {
  kube::Json metadata = {{"name", name}, {"labels", ChildLabels(cluster)}};
  if (!cluster.ns.empty()) metadata["namespace"] = cluster.ns;
  if (!cluster.uid.empty()) metadata["ownerReferences"] = OwnerReferences(cluster);
  return {{"apiVersion", kind.api_version()}, {"kind", kind.kind}, {"metadata", std::move(metadata)}};
}

std::string Hash(const kube::Json& document) {
  const std::string text = document.dump();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // Fails only without memory or without SHA-256 in the library; neither leaves anything sensible to do.
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) std::abort();
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hash = "sha256:";
  for (unsigned int i = 0; i < size; ++i) {
    hash += kHex[digest[i] >> 4];
    hash += kHex[digest[i] & 15];
  }
  return hash;
}

}  // namespace holdfast::resources
