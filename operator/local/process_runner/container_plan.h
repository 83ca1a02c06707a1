// From a container's specification to the process that stands for it: program, arguments, environment. Pure but for
// looking whether a program is there.
//
// A mountPath that occurs in the command, the arguments or a value of the environment, as a path of its own or as the
// beginning of one, is replaced by the folder mounted there: a process sees the machine's files, not a container's.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct ContainerSurroundings {
  std::filesystem::path program_folder;                  // where a bare command name is looked for
  std::map<std::string, std::filesystem::path> volumes;  // by volume name
  std::string address;                                   // the pod's
  // Set after the container's own environment; a value may say $(POD_IP). One whose value is a path is left out where
  // nothing is mounted there.
  std::map<std::string, std::string> environment;
  // The data of a ConfigMap ("configmaps") or Secret ("secrets", decoded); nothing when absent.
  std::function<std::optional<std::map<std::string, std::string>>(const std::string& collection,
                                                                  const std::string& name)>
      lookup;
};

struct ContainerPlan {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
};

// kFailedPrecondition when something referred to is missing, kNotFound when the program is.
Result<ContainerPlan> PlanContainer(const Json& pod, const Json& container, const ContainerSurroundings& around);

// The pod with other numbers in the place of its containers' ports, by the numbers it was made with; where a probe says
// the number of a port, there too.
Json RenumberPorts(Json pod, const std::map<std::int64_t, std::int64_t>& ports);

// `text` with every mount path replaced, longest first.
std::string ReplaceMountPaths(std::string text, const std::map<std::string, std::string>& folder_by_mount_path);
// `$(NAME)` for the names known, `$$(NAME)` as "$(NAME)", everything else as it is; as Kubernetes expands them.
std::string ExpandReferences(const std::string& text, const std::map<std::string, std::string>& values);

}  // namespace holdfast::local
