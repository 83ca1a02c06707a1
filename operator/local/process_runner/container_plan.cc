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

struct Mounts {
  Values folder_by_path;
  std::vector<RootMount> mounts;
};

Result<Mounts> MountsOf(const Json& container, const ContainerSurroundings& around) {
  Mounts mounts;
  bool contained = !around.root_folder.empty();
  for (const Json& mount : ArrayAt(container, {"volumeMounts"})) {
    auto folder = around.volumes.find(TextAt(mount, {"name"}));
    std::string path = TextAt(mount, {"mountPath"});
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (folder == around.volumes.end() || path.empty()) continue;
    fs::path source = folder->second;
    if (std::string sub_path = TextAt(mount, {"subPath"}); !sub_path.empty()) {
      fs::path inside = fs::path(sub_path).lexically_normal();
      if (!contained) return Error(ErrorCode::kNotSupported, fmt::format("subPath (at {}) needs a container", path));
      if (inside.is_absolute() || *inside.begin() == "..") {
        return Error(ErrorCode::kInvalidArgument, fmt::format("the subPath \"{}\" leads out of its volume", sub_path));
      }
      source /= inside;
      std::error_code error;
      if (!fs::exists(source, error)) fs::create_directories(source, error);
    }
    if (mount.contains("subPathExpr")) {
      return Error(ErrorCode::kNotSupported, fmt::format("subPathExpr (at {}) is not run locally", path));
    }
    mounts.folder_by_path[path] = source.string();
    mounts.mounts.push_back({path, source, BoolAt(mount, {"readOnly"})});
  }
  return mounts;
}

bool IsPathByte(char each) {
  return std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '_' || each == '-' || each == '.';
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

// The Debian package of a program that Holdfast's pods run and a machine may not have.
std::string PackageOf(const std::string& program) {
  if (program.starts_with("patroni")) return "patroni";
  if (program == "pgbouncer") return "pgbouncer";
  if (program.starts_with("redis-")) return "redis-server";
  if (program == "postgres" || program == "initdb" || program == "psql" || program.starts_with("pg_")) {
    return "postgresql-15";
  }
  return "";
}

bool IsExecutable(const fs::path& path) {
  return access(path.c_str(), X_OK) == 0;
}

std::string ValueOf(const std::vector<std::string>& environment, const std::string& name) {
  for (const std::string& each : environment) {
    if (each.starts_with(name + "=")) return each.substr(name.size() + 1);
  }
  return "";
}

Result<std::string> FindProgram(const std::string& command, const ContainerPlan& plan) {
  std::string name = fs::path(command).filename();
  if (IsExecutable(plan.program_folder / name)) {
    if (plan.process.containment) return std::string(kProgramsInContainer) + "/" + name;
    return (plan.program_folder / name).string();
  }
  // A contained program may be in a volume, which only its start can tell.
  if (command.starts_with("/") && (plan.process.containment || IsExecutable(command))) return command;
  if (command.find('/') == std::string::npos) {
    std::string path = ValueOf(plan.process.environment, "PATH");
    for (std::size_t at = 0; at <= path.size();) {
      std::size_t end = std::min(path.find(':', at), path.size());
      fs::path candidate = fs::path(path.substr(at, end - at)) / command;
      if (IsExecutable(candidate)) return candidate.string();
      at = end + 1;
    }
  }
  std::string package = PackageOf(name);
  std::string remedy =
      package.empty() ? "build it, or name it by its full path" : fmt::format("install the Debian package {}", package);
  return Error(ErrorCode::kNotFound, fmt::format("the program \"{}\" is not in {}, nor on this machine's PATH; {}",
                                                 command, plan.program_folder.string(), remedy));
}

std::vector<std::string> Strings(const Json& list) {
  std::vector<std::string> strings;
  for (const Json& each : list) strings.push_back(each.is_string() ? each.get<std::string>() : each.dump());
  return strings;
}

// A setting of the container's securityContext, else of the pod's.
const Json* SecuritySetting(const Json& pod, const Json& container, const char* field) {
  const Json* own = FindField(container, {"securityContext", field});
  return own != nullptr ? own : FindField(pod, {"spec", "securityContext", field});
}

Result<std::optional<ProcessUser>> UserOf(const Json& pod, const Json& container) {
  const Json* user = SecuritySetting(pod, container, "runAsUser");
  const Json* non_root = SecuritySetting(pod, container, "runAsNonRoot");
  if (user == nullptr || !user->is_number_unsigned()) return std::optional<ProcessUser>();
  if (non_root != nullptr && non_root->is_boolean() && non_root->get<bool>() && user->get<uid_t>() == 0) {
    return Error(ErrorCode::kFailedPrecondition, "the container has runAsNonRoot and runAsUser 0");
  }
  ProcessUser found;
  found.user = user->get<uid_t>();
  const Json* group = SecuritySetting(pod, container, "runAsGroup");
  if (group != nullptr && group->is_number_unsigned()) found.group = group->get<gid_t>();
  for (const Json& each : ArrayAt(pod, {"spec", "securityContext", "supplementalGroups"})) {
    if (each.is_number_unsigned()) found.groups.push_back(each.get<gid_t>());
  }
  const Json* shared = FindField(pod, {"spec", "securityContext", "fsGroup"});
  if (shared != nullptr && shared->is_number_unsigned()) found.groups.push_back(shared->get<gid_t>());
  return std::optional(found);
}

// Values that are paths stand for what is mounted there, or for nothing.
bool IsMountedAt(const std::string& path, const std::vector<RootMount>& mounts) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const RootMount& each) { return path == each.path || path.starts_with(each.path + "/"); });
}

}  // namespace

std::string FieldReference(const Json& pod, const std::string& path, const std::string& address) {
  if (path == "status.podIP" || path == "status.podIPs" || path == "status.hostIP") return address;
  std::vector<const Json*> found = EvaluateJsonPath(pod, "." + path);
  if (found.empty()) return "";
  return found.front()->is_string() ? found.front()->get<std::string>() : found.front()->dump();
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
  HOLDFAST_ASSIGN_OR_RETURN(Mounts mounts, MountsOf(container, around));
  HOLDFAST_ASSIGN_OR_RETURN(Values values, EnvironmentBuilder(pod, container, around).Build());
  bool contained = !around.root_folder.empty();
  auto translate = [&](const std::string& text) {
    return contained ? text : ReplaceMountPaths(text, mounts.folder_by_path);
  };

  ContainerPlan plan;
  plan.program_folder = around.program_folder;
  ProcessSpec& process = plan.process;
  std::vector<RootMount> all = around.files;
  all.push_back({kProgramsInContainer, around.program_folder, true});
  all.insert(all.end(), mounts.mounts.begin(), mounts.mounts.end());
  std::string directory = TextAt(container, {"workingDir"});
  process.directory = contained ? fs::path(directory.empty() ? "/" : directory) : around.directory;

  for (const auto& [name, value] : around.environment) {
    if (value.starts_with("/") && !IsMountedAt(value, all)) continue;
    values[name] = ExpandReferences(value, values);
  }
  values.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  values.try_emplace("HOSTNAME", NameOf(pod));
  if (contained) values.try_emplace("HOME", "/");
  for (const auto& [name, value] : values) process.environment.push_back(name + "=" + translate(value));

  if (contained) {
    HOLDFAST_ASSIGN_OR_RETURN(process.user, UserOf(pod, container));
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<RootStep> root, PlanRoot(around.root_folder, all));
    process.containment = Containment{std::move(root), around.root_folder, NameOf(pod)};
  }

  std::vector<std::string> words = Strings(ArrayAt(container, {"command"}));
  for (std::string& each : Strings(ArrayAt(container, {"args"}))) words.push_back(std::move(each));
  if (words.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a container without a command cannot be run locally: there is no image");
  }
  for (const std::string& word : words) process.arguments.push_back(translate(ExpandReferences(word, values)));
  HOLDFAST_ASSIGN_OR_RETURN(process.arguments[0], FindProgram(process.arguments[0], plan));
  return plan;
}

Result<ProcessSpec> PlanExec(const ContainerPlan& plan, const std::vector<std::string>& command) {
  if (command.empty()) return Error(ErrorCode::kInvalidArgument, "there is no command");
  ProcessSpec process = plan.process;
  process.arguments = command;
  HOLDFAST_ASSIGN_OR_RETURN(process.arguments[0], FindProgram(command[0], plan));
  return process;
}

}  // namespace holdfast::local
