#include "operator/resources/redis_servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace holdfast::resources {
namespace {

using kube::Json;

// "3@12": three, at generation 12.
std::string Enough(std::int64_t servers, const Json& set) {
  return fmt::format("{}@{}", servers, kube::GenerationOf(set));
}

std::string AnnotationOf(const Json& object, const char* name) {
  const Json::json_pointer pointer = Json::json_pointer("/metadata/annotations") / name;
  return object.contains(pointer) && object.at(pointer).is_string() ? object.at(pointer).get<std::string>() : "";
}

// 0 when it is none.
std::int64_t Number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::int64_t ReplicasOf(const Json& set) {
  static const Json::json_pointer pointer("/spec/replicas");
  return set.contains(pointer) && set.at(pointer).is_number_integer() ? set.at(pointer).get<std::int64_t>() : 0;
}

}  // namespace

RedisServers PresentServers(std::int64_t wanted, const Json* set) {
  if (set == nullptr) return {wanted, wanted};
  const std::int64_t named = Number(AnnotationOf(*set, kServersAnnotation));
  std::int64_t pods = ReplicasOf(*set);
  if (pods == 0) pods = named == 0 ? wanted : named;
  return {pods, std::max(pods, named)};
}

RedisServers DesiredServers(std::int64_t wanted, const Json* set) {
  RedisServers servers = PresentServers(wanted, set);
  const bool enough = set != nullptr && AreEnoughServers(wanted, *set);
  // Names go only behind pods.
  if (servers.pods <= wanted && (enough || servers.names <= wanted)) servers.names = wanted;
  if (servers.pods < wanted || enough) servers.pods = wanted;
  servers.names = std::max(servers.names, servers.pods);
  return servers;
}

Json EnoughServersPatch(std::int64_t servers, const Json& set) {
  return {{"metadata",
           {{"resourceVersion", kube::ResourceVersionOf(set)},
            {"annotations", {{kEnoughServersAnnotation, Enough(servers, set)}}}}}};
}

bool AreEnoughServers(std::int64_t servers, const Json& set) {
  return AnnotationOf(set, kEnoughServersAnnotation) == Enough(servers, set);
}

}  // namespace holdfast::resources
