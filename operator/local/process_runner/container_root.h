// What a container sees as its files: the machine's own, with its volumes where the pod's specification mounts them,
// private and empty /tmp, /run and /dev/shm, and a /proc of its own processes. Nothing of it is copied: a new root is
// put together of bind mounts in a mount namespace of the process's own, so it goes with the process and the machine
// never sees it. Writes elsewhere do reach the machine's files, as far as the process's user may write them.
//
// Planned before the process is started, because between clone and exec nothing may be allocated. Reads the machine's
// folders; otherwise pure.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result/result.h"

namespace holdfast::local {

struct RootMount {
  std::string path;              // where, absolute, in the container
  std::filesystem::path source;  // a folder or file of the machine
  bool read_only = false;
};

struct RootStep {
  enum class Kind { kFolder, kFile, kLink, kBind, kTmpfs, kProc };
  Kind kind = Kind::kFolder;
  std::string target;  // on the machine, under the folder the root is put together in
  std::string source;  // of a link or a bind
  mode_t mode = 0755;
  bool read_only = false;
  // A file of the machine that is merely passed on: one that has gone meanwhile, or may not be passed on, is left out.
  bool optional = false;
};

// `folder` is an empty folder of the machine to put the root together in. kInvalidArgument for a path that is not
// absolute, or mounted twice.
Result<std::vector<RootStep>> PlanRoot(const std::filesystem::path& folder, const std::vector<RootMount>& mounts);

// Does one step; safe between clone and exec. False with errno set when it failed and is not optional.
bool DoRootStep(const RootStep& step);

}  // namespace holdfast::local
