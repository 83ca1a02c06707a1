#include "operator/kube/finalizers.h"

#include <algorithm>
#include <string>
#include <vector>

namespace holdfast::kube {
namespace {

std::vector<std::string> Finalizers(const Json& object) {
  static const Json::json_pointer pointer("/metadata/finalizers");
  std::vector<std::string> finalizers;
  if (!object.contains(pointer) || !object.at(pointer).is_array()) return finalizers;
  for (const Json& finalizer : object.at(pointer)) {
    if (finalizer.is_string()) finalizers.push_back(finalizer.get<std::string>());
  }
  return finalizers;
}

Json FinalizersPatch(const Json& object, const std::vector<std::string>& finalizers) {
  return {{"metadata",
           {{"resourceVersion", ResourceVersionOf(object)}, {"uid", UidOf(object)}, {"finalizers", finalizers}}}};
}

}  // namespace

bool HasFinalizer(const Json& object, std::string_view finalizer) {
  const std::vector<std::string> finalizers = Finalizers(object);
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

Json AddFinalizerPatch(const Json& object, std::string_view finalizer) {
  std::vector<std::string> finalizers = Finalizers(object);
  finalizers.emplace_back(finalizer);
  return FinalizersPatch(object, finalizers);
}

Json RemoveFinalizerPatch(const Json& object, std::string_view finalizer) {
  std::vector<std::string> finalizers = Finalizers(object);
  finalizers.erase(std::remove(finalizers.begin(), finalizers.end(), finalizer), finalizers.end());
  return FinalizersPatch(object, finalizers);
}

}  // namespace holdfast::kube
