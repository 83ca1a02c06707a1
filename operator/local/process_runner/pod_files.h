// The files a contained pod gets in place of the machine's: names of Services and pods (/etc/hosts), users
// (/etc/passwd, /etc/group), and how to reach the API server (a kubeconfig).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/process_runner/container_root.h"

namespace holdfast::local {

// Where $KUBECONFIG points in a container. Its contexts are called `local` and, for Patroni 3.0, which asks for that
// one when it finds no service account, `kind-kind`.
inline constexpr char kKubeconfigInContainer[] = "/run/holdfast/kubeconfig";

// Writes what is to be mounted, for one pod, under `folder`. The machine's users stay, and the pod's (runAsUser of pod
// and containers) are added where the machine has not got them: programs such as initdb insist on a name for theirs.
// `api_server` is a URL; empty = the pod has no business with it.
Result<std::vector<RootMount>> WritePodFiles(const std::filesystem::path& folder, const Json& pod,
                                             const std::string& hosts, const std::string& api_server);

// In place, because what is mounted is the file and not its name.
Status RewriteHosts(const std::filesystem::path& folder, const std::string& hosts);

}  // namespace holdfast::local
