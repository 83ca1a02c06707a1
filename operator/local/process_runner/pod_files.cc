#include "operator/local/process_runner/pod_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace holdfast::local {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// Over what is there, then cut: a reader in between sees old lines after new ones, but never an empty file.
Status Overwrite(const fs::path& path, const std::string& text) {
  int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  bool written = descriptor >= 0 &&
                 pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                 ftruncate(descriptor, static_cast<off_t>(text.size())) == 0 && fchmod(descriptor, 0644) == 0;
  int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (written) return Status::Ok();
  return Error(ErrorCode::kUnavailable, fmt::format("cannot write {}: {}", path.string(), std::strerror(error)));
}

std::set<std::int64_t> IdsOf(const Json& pod, const char* field) {
  std::set<std::int64_t> ids;
  auto add = [&](const Json& security) {
    if (security.contains(field) && security[field].is_number_unsigned())
      ids.insert(security[field].get<std::int64_t>());
  };
  add(ObjectAt(pod, {"spec", "securityContext"}));
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : ArrayAt(pod, {"spec", list})) add(ObjectAt(container, {"securityContext"}));
  }
  return ids;
}

// The lines of the machine's file, and one for each id that has none.
std::string Accounts(const fs::path& machine, const std::set<std::int64_t>& ids, const char* format) {
  std::string text = ReadFile(machine);
  if (!text.empty() && text.back() != '\n') text += '\n';
  for (std::int64_t id : ids) {
    if (text.find(fmt::format(":x:{}:", id)) == std::string::npos) text += fmt::format(fmt::runtime(format), id);
  }
  return text;
}

std::string Kubeconfig(const std::string& api_server) {
  Json config = {{"apiVersion", "v1"},
                 {"kind", "Config"},
                 {"current-context", "local"},
                 {"clusters", Json::array({{{"name", "local"}, {"cluster", {{"server", api_server}}}}})},
                 {"users", Json::array({{{"name", "local"}, {"user", Json::object()}}})},
                 {"contexts", Json::array()}};
  for (const char* name : {"local", "kind-kind"}) {
    config["contexts"].push_back({{"name", name}, {"context", {{"cluster", "local"}, {"user", "local"}}}});
  }
  return config.dump(2) + "\n";
}

}  // namespace

Status RewriteHosts(const fs::path& folder, const std::string& hosts) {
  if (ReadFile(folder / "hosts") == hosts) return Status::Ok();
  return Overwrite(folder / "hosts", hosts);
}

Result<std::vector<RootMount>> WritePodFiles(const fs::path& folder, const Json& pod, const std::string& hosts,
                                             const std::string& api_server) {
  std::error_code error;
  fs::create_directories(folder, error);
  HOLDFAST_RETURN_IF_ERROR(RewriteHosts(folder, hosts));
  HOLDFAST_RETURN_IF_ERROR(Overwrite(folder / "passwd", Accounts("/etc/passwd", IdsOf(pod, "runAsUser"),
                                                                 "{0}:x:{0}:0:pod user:/:/usr/sbin/nologin\n")));
  HOLDFAST_RETURN_IF_ERROR(
      Overwrite(folder / "group", Accounts("/etc/group", IdsOf(pod, "runAsGroup"), "{0}:x:{0}:\n")));
  std::vector<RootMount> mounts;
  for (const char* name : {"hosts", "passwd", "group"}) {
    mounts.push_back({std::string("/etc/") + name, folder / name, true});
  }
  // Where names of the world are asked for: often a link into /run, which a container has for itself.
  fs::path resolver = fs::canonical("/etc/resolv.conf", error);
  if (!error && resolver.string().starts_with("/run/")) mounts.push_back({resolver.string(), resolver, true});
  if (!api_server.empty()) {
    HOLDFAST_RETURN_IF_ERROR(Overwrite(folder / "kubeconfig", Kubeconfig(api_server)));
    mounts.push_back({kKubeconfigInContainer, folder / "kubeconfig", true});
  }
  return mounts;
}

}  // namespace holdfast::local
