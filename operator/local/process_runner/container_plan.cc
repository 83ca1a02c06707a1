#include "operator/local/process_runner/container_plan.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "operator/local/api_server/json_path.h"

namespace holdfast::local {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::string>;

Result<Values> MountPaths(const Json& container, const Values& folders) {
  Values by_path;
  for (const Json& mount : ArrayAt(container, {"volumeMounts"})) {
    auto folder = folders.find(TextAt(mount, {"name"}));
    std::string path = TextAt(mount, {"mountPath"});
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (folder == folders.end() || path.empty()) continue;
    if (mount.contains("subPath") || mount.contains("subPathExpr")) {
      return Error(ErrorCode::kNotSupported, fmt::format("subPath (at {}) is not run locally", path));
    }
    by_path[path] = folder->second;
  }
  return by_path;
}

bool IsPathByte(char each) {
  return std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '_' || each == '-' || each == '.';
}

std::string FieldReference(const Json& pod, const std::string& path, const std::string& address) {
  if (path == "status.podIP" || path == "status.podIPs" || path == "status.hostIP") return address;
  std::vector<const Json*> found = EvaluateJsonPath(pod, "." + path);
  if (found.empty()) return "";
  return found.front()->is_string() ? found.front()->get<std::string>() : found.front()->dump();
}

class EnvironmentBuilder {
 public:
  EnvironmentBuilder(const Json& pod, const Json& container, const ContainerSurroundings& around)
      : pod_(pod), container_(container), around_(around) {}

  Result<Values> Build() {
    values_["POD_IP"] = around_.address;
    for (const Json& source : ArrayAt(container_, {"envFrom"})) {
      HOLDFAST_RETURN_IF_ERROR(AddAll(source));
    }
    for (const Json& each : ArrayAt(container_, {"env"})) {
      HOLDFAST_ASSIGN_OR_RETURN(std::optional<std::string> value, ValueOf(each));
      if (value) values_[TextAt(each, {"name"})] = std::move(*value);
    }
    return values_;
  }

 private:
  Status AddAll(const Json& source) {
    for (const auto& [field, collection] :
         {std::pair("configMapRef", "configmaps"), std::pair("secretRef", "secrets")}) {
      const Json* reference = FindField(source, {field});
      if (reference == nullptr) continue;
      HOLDFAST_ASSIGN_OR_RETURN(std::optional<Values> data, Lookup(collection, *reference));
      for (const auto& [name, value] : data.value_or(Values())) values_[TextAt(source, {"prefix"}) + name] = value;
    }
    return Status::Ok();
  }

  Result<std::optional<std::string>> ValueOf(const Json& variable) {
    const Json* from = FindField(variable, {"valueFrom"});
    if (from == nullptr) return std::optional(ExpandReferences(TextAt(variable, {"value"}), values_));
    if (const Json* field = FindField(*from, {"fieldRef"})) {
      return std::optional(FieldReference(pod_, TextAt(*field, {"fieldPath"}), around_.address));
    }
    for (const auto& [source, collection] :
         {std::pair("configMapKeyRef", "configmaps"), std::pair("secretKeyRef", "secrets")}) {
      const Json* reference = FindField(*from, {source});
      if (reference == nullptr) continue;
      HOLDFAST_ASSIGN_OR_RETURN(std::optional<Values> data, Lookup(collection, *reference));
      std::string key = TextAt(*reference, {"key"});
      if (data && data->contains(key)) return std::optional(data->at(key));
      if (BoolAt(*reference, {"optional"})) return std::optional<std::string>();
      return Error(ErrorCode::kFailedPrecondition,
                   fmt::format("key \"{}\" not found in {} \"{}\"", key, collection, TextAt(*reference, {"name"})));
    }
    return Error(ErrorCode::kNotSupported,
                 fmt::format("environment variable {}: this source is not run locally", TextAt(variable, {"name"})));
  }

  Result<std::optional<Values>> Lookup(const char* collection, const Json& reference) {
    std::string name = TextAt(reference, {"name"});
    std::optional<Values> data = around_.lookup(collection, name);
    if (!data && !BoolAt(reference, {"optional"})) {
      return Error(ErrorCode::kFailedPrecondition, fmt::format("{} \"{}\" not found", collection, name));
    }
    return data;
  }

  const Json& pod_;
  const Json& container_;
  const ContainerSurroundings& around_;
  Values values_;
};

Result<std::string> ResolveProgram(const std::string& command, const fs::path& folder) {
  fs::path beside = folder / fs::path(command).filename();
  if (access(beside.c_str(), X_OK) == 0) return beside.string();
  if (command.starts_with("/") && access(command.c_str(), X_OK) == 0) return command;
  return Error(
      ErrorCode::kNotFound,
      fmt::format("the program \"{}\" is not in {}; build it, or name it by its full path", command, folder.string()));
}

void Renumber(Json& object, const char* field, const std::map<std::int64_t, std::int64_t>& ports) {
  auto number = object.find(field);
  if (number == object.end() || !number->is_number_integer()) return;
  auto other = ports.find(number->get<std::int64_t>());
  if (other != ports.end()) *number = other->second;
}

std::vector<std::string> Strings(const Json& list) {
  std::vector<std::string> strings;
  for (const Json& each : list) strings.push_back(each.is_string() ? each.get<std::string>() : each.dump());
  return strings;
}

}  // namespace

Json RenumberPorts(Json pod, const std::map<std::int64_t, std::int64_t>& ports) {
  Json containers = ArrayAt(pod, {"spec", "containers"});
  for (Json& container : containers) {
    Json numbered = ArrayAt(container, {"ports"});
    for (Json& port : numbered) Renumber(port, "containerPort", ports);
    if (!numbered.empty()) container["ports"] = std::move(numbered);
    for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
      for (const char* action : {"httpGet", "tcpSocket"}) {
        if (FindField(container, {probe, action}) != nullptr) Renumber(container[probe][action], "port", ports);
      }
    }
  }
  pod["spec"]["containers"] = std::move(containers);
  return pod;
}

std::string ReplaceMountPaths(std::string text, const Values& folders) {
  std::vector<std::pair<std::string, std::string>> longest_first(folders.begin(), folders.end());
  std::sort(longest_first.begin(), longest_first.end(),
            [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  std::string replaced;
  for (std::size_t at = 0; at < text.size();) {
    bool begins = at == 0 || (!IsPathByte(text[at - 1]) && text[at - 1] != '/');
    auto match = std::find_if(longest_first.begin(), longest_first.end(), [&](const auto& each) {
      std::size_t end = at + each.first.size();
      return begins && text.compare(at, each.first.size(), each.first) == 0 &&
             (end >= text.size() || !IsPathByte(text[end]));
    });
    if (match == longest_first.end()) {
      replaced += text[at++];
    } else {
      replaced += match->second;
      at += match->first.size();
    }
  }
  return replaced;
}

std::string ExpandReferences(const std::string& text, const Values& values) {
  std::string expanded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "$$") == 0) {
      expanded += '$';
      ++at;
      continue;
    }
    std::size_t close = text.compare(at, 2, "$(") == 0 ? text.find(')', at) : std::string::npos;
    auto value = close == std::string::npos ? values.end() : values.find(text.substr(at + 2, close - at - 2));
    if (value == values.end()) {
      expanded += text[at];
    } else {
      expanded += value->second;
      at = close;
    }
  }
  return expanded;
}

Result<ContainerPlan> PlanContainer(const Json& pod, const Json& container, const ContainerSurroundings& around) {
  Values folders;
  for (const auto& [name, folder] : around.volumes) folders[name] = folder.string();
  HOLDFAST_ASSIGN_OR_RETURN(Values mounts, MountPaths(container, folders));
  HOLDFAST_ASSIGN_OR_RETURN(Values values, EnvironmentBuilder(pod, container, around).Build());

  std::vector<std::string> words = Strings(ArrayAt(container, {"command"}));
  for (std::string& each : Strings(ArrayAt(container, {"args"}))) words.push_back(std::move(each));
  if (words.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a container without a command cannot be run locally: there is no image");
  }
  ContainerPlan plan;
  for (const std::string& word : words)
    plan.arguments.push_back(ReplaceMountPaths(ExpandReferences(word, values), mounts));
  HOLDFAST_ASSIGN_OR_RETURN(plan.arguments[0], ResolveProgram(plan.arguments[0], around.program_folder));

  for (const auto& [name, value] : around.environment) {
    if (value.starts_with("/") && ReplaceMountPaths(value, mounts) == value) continue;
    values[name] = ExpandReferences(value, values);
  }
  values.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  values.try_emplace("HOSTNAME", NameOf(pod));
  for (const auto& [name, value] : values) plan.environment.push_back(name + "=" + ReplaceMountPaths(value, mounts));
  return plan;
}

}  // namespace holdfast::local
