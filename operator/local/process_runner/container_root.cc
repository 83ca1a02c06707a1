#include "operator/local/process_runner/container_root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

namespace holdfast::local {
namespace {

namespace fs = std::filesystem;
using Kind = RootStep::Kind;

struct Node {
  std::map<std::string, Node> children;
  const RootMount* mount = nullptr;
  std::optional<RootStep> own;  // a file system of its own instead of something of the machine
};

Node& At(Node& root, const fs::path& path) {
  Node* node = &root;
  for (const fs::path& part : path.relative_path()) node = &node->children[part.string()];
  return *node;
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool IsThere(const fs::path& path) {
  std::error_code error;
  // A link is not followed: its target may mean something else in the container.
  fs::file_status status = fs::symlink_status(path, error);
  return fs::exists(status) && !fs::is_symlink(status);
}

class Planner {
 public:
  std::vector<RootStep> Plan(const Node& root, const fs::path& folder) {
    PassOn(root, "/", folder.string());
    return std::move(steps_);
  }

 private:
  // `target` is there. `machine` is what would be seen there otherwise.
  void Visit(const Node& node, const fs::path& machine, const std::string& target) {
    if (node.mount != nullptr) {
      steps_.push_back({Kind::kBind, target, node.mount->source.string(), 0, node.mount->read_only, false});
      Nested(node, node.mount->source, target);
    } else if (node.own) {
      RootStep step = *node.own;
      step.target = target;
      steps_.push_back(std::move(step));
      Nested(node, fs::path(), target);
    } else if (std::all_of(node.children.begin(), node.children.end(),
                           [&](const auto& each) { return IsThere(machine / each.first); })) {
      steps_.push_back({Kind::kBind, target, machine.string(), 0, false, false});
      for (const auto& [name, child] : node.children) Visit(child, machine / name, target + "/" + name);
    } else {
      PassOn(node, machine, target);
    }
  }

  // Inside something mounted: the mount points are made there.
  void Nested(const Node& node, const fs::path& machine, const std::string& target) {
    for (const auto& [name, child] : node.children) {
      MakePoint(child, target + "/" + name);
      Visit(child, machine.empty() ? fs::path("/nonexistent") : machine / name, target + "/" + name);
    }
  }

  // A folder to which something is added that the machine's has not got: a new one, with each entry passed on.
  void PassOn(const Node& node, const fs::path& machine, const std::string& target) {
    steps_.push_back({Kind::kTmpfs, target, "", 0755, false, false});
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(machine, error)) {
      std::string name = entry.path().filename().string();
      std::string point = target + "/" + name;
      if (node.children.contains(name)) continue;
      if (entry.is_symlink(error)) {
        steps_.push_back({Kind::kLink, point, fs::read_symlink(entry.path(), error).string(), 0, false, true});
        continue;
      }
      steps_.push_back({entry.is_directory(error) ? Kind::kFolder : Kind::kFile, point, "", 0755, false, true});
      steps_.push_back({Kind::kBind, point, entry.path().string(), 0, false, true});
    }
    for (const auto& [name, child] : node.children) {
      MakePoint(child, target + "/" + name);
      Visit(child, machine / name, target + "/" + name);
    }
  }

  void MakePoint(const Node& node, const std::string& target) {
    bool file = node.mount != nullptr && !IsFolder(node.mount->source);
    steps_.push_back({file ? Kind::kFile : Kind::kFolder, target, "", 0755, false, false});
  }

  std::vector<RootStep> steps_;
};

bool Mount(const RootStep& step) {
  const char* target = step.target.c_str();
  if (step.kind == Kind::kTmpfs) {
    return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, nullptr) == 0 && chmod(target, step.mode) == 0;
  }
  if (step.kind == Kind::kProc) return mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
  if (mount(step.source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  // Without privilege over the file system below, its other flags cannot be known to be kept, and Linux refuses; the
  // files' own modes must do then.
  if (step.read_only) (void)mount(nullptr, target, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr);
  return true;
}

}  // namespace

Result<std::vector<RootStep>> PlanRoot(const fs::path& folder, const std::vector<RootMount>& mounts) {
  Node root;
  At(root, "/proc").own = RootStep{Kind::kProc, "", "", 0555, false, false};
  At(root, "/tmp").own = RootStep{Kind::kTmpfs, "", "", 01777, false, false};
  At(root, "/run").own = RootStep{Kind::kTmpfs, "", "", 0755, false, false};
  if (IsFolder("/dev/shm")) At(root, "/dev/shm").own = RootStep{Kind::kTmpfs, "", "", 01777, false, false};
  for (const RootMount& each : mounts) {
    if (!each.path.starts_with("/") || each.path == "/") {
      return Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no path to mount at", each.path));
    }
    std::error_code error;
    // /var/run is a link to /run on the machine, and so in the container.
    fs::path path = fs::weakly_canonical(each.path, error).lexically_normal();
    Node& node = At(root, error ? fs::path(each.path).lexically_normal() : path);
    if (node.mount != nullptr) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("two volumes are mounted at {}", each.path));
    }
    node.mount = &each;
    node.own.reset();
  }
  return Planner().Plan(root, folder);
}

bool DoRootStep(const RootStep& step) {
  bool done = false;
  const char* target = step.target.c_str();
  switch (step.kind) {
    case Kind::kFolder:
      done = mkdir(target, step.mode) == 0 || errno == EEXIST;
      break;
    case Kind::kFile: {
      int descriptor = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      done = descriptor >= 0 || errno == EISDIR;
      if (descriptor >= 0) close(descriptor);
      break;
    }
    case Kind::kLink:
      done = symlink(step.source.c_str(), target) == 0;
      break;
    case Kind::kBind:
    case Kind::kTmpfs:
    case Kind::kProc:
      done = Mount(step);
      break;
  }
  return done || step.optional;
}

}  // namespace holdfast::local
