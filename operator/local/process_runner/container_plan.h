// From a container's specification to the process that stands for it: program, arguments, environment, user, files.
// Pure but for looking whether programs and folders are there.
//
// Contained, a process sees its volumes where they are mounted. Otherwise it sees the machine's files as they are, and
// a mountPath that occurs in the command, the arguments or a value of the environment, as a path of its own or as the
// beginning of one, is replaced by the folder mounted there; it runs as the user of this process then.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/process_runner/process.h"

namespace holdfast::local {

// Where a container finds the programs of `program_folder`.
inline constexpr char kProgramsInContainer[] = "/run/holdfast/bin";

struct ContainerSurroundings {
  std::filesystem::path program_folder;                  // searched before PATH, by a program's bare name
  std::map<std::string, std::filesystem::path> volumes;  // by volume name
  std::string address;                                   // the pod's
  // Set after the container's own environment; a value may say $(POD_IP). One whose value is a path is left out where
  // nothing is mounted there.
  std::map<std::string, std::string> environment;
  // The data of a ConfigMap ("configmaps") or Secret ("secrets", decoded); nothing when absent.
  std::function<std::optional<std::map<std::string, std::string>>(const std::string& collection,
                                                                  const std::string& name)>
      lookup;
  // An empty folder to put the container's root together in; empty = not contained.
  std::filesystem::path root_folder;
  std::vector<RootMount> files;     // in every container, beside its volumes
  std::filesystem::path directory;  // the working directory of what is not contained
};

struct ContainerPlan {
  ProcessSpec process;  // without output
  std::filesystem::path program_folder;
};

// kFailedPrecondition when something referred to is missing, kNotFound when the program is.
Result<ContainerPlan> PlanContainer(const Json& pod, const Json& container, const ContainerSurroundings& around);

// Another command in the same container.
Result<ProcessSpec> PlanExec(const ContainerPlan& plan, const std::vector<std::string>& command);

// `text` with every mount path replaced, longest first.
std::string ReplaceMountPaths(std::string text, const std::map<std::string, std::string>& folder_by_mount_path);
// `$(NAME)` for the names known, `$$(NAME)` as "$(NAME)", everything else as it is; as Kubernetes expands them.
std::string ExpandReferences(const std::string& text, const std::map<std::string, std::string>& values);
// The value of a field of the pod, as fieldRef names it: "metadata.labels['a']", "status.podIP".
std::string FieldReference(const Json& pod, const std::string& path, const std::string& address);

}  // namespace holdfast::local
