#include "operator/api/v1/annotations.h"

namespace holdfast::api {

bool IsPaused(const Json& cluster_object) {
  static const Json::json_pointer pointer = Json::json_pointer("/metadata/annotations") / kPausedAnnotation;
  return cluster_object.contains(pointer) && cluster_object.at(pointer) != "false";
}

}  // namespace holdfast::api
