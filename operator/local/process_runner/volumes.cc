#include "operator/local/process_runner/volumes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "operator/kube/base64.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/process_runner/container_plan.h"

namespace holdfast::local {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDefaultMode = 0644;

struct FileContent {
  std::string text;
  mode_t mode = kDefaultMode;
};
using Files = std::map<std::string, FileContent>;  // by name

// Who may read what a pod is given.
struct Access {
  bool root = geteuid() == 0;
  std::optional<gid_t> group;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

Status SetAccess(const fs::path& path, mode_t mode, const Access& access) {
  if (!access.root) mode &= 0700;
  bool done = !access.root || !access.group || lchown(path.c_str(), static_cast<uid_t>(-1), *access.group) == 0;
  // After the owner, because changing that clears the set-group-ID bit.
  done = done && chmod(path.c_str(), mode) == 0;
  if (done) return Status::Ok();
  return Error(ErrorCode::kUnavailable,
               fmt::format("cannot set the owner or mode of {}: {}", path.string(), std::strerror(errno)));
}

// Beside the old one, then over it: a reader sees one or the other.
Status WriteFile(const fs::path& path, const FileContent& content, const Access& access) {
  std::error_code error;
  if (fs::exists(path, error) && ReadFile(path) == content.text) return Status::Ok();
  fs::path fresh = path;
  fresh += ".new";
  {
    // Nobody else's from the beginning: it may be a key.
    int descriptor = open(fresh.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor >= 0) close(descriptor);
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << content.text;
    file.flush();
    if (!file) return Error(ErrorCode::kUnavailable, "cannot write " + fresh.string());
  }
  mode_t mode = access.group ? content.mode | 0440 : content.mode;
  HOLDFAST_RETURN_IF_ERROR(SetAccess(fresh, mode, access));
  fs::rename(fresh, path, error);
  if (error) return Error(ErrorCode::kUnavailable, "cannot replace " + path.string() + ": " + error.message());
  return Status::Ok();
}

Status MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Error(ErrorCode::kUnavailable, "cannot make " + path.string() + ": " + error.message());
  return Status::Ok();
}

bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

mode_t ModeAt(const Json& source, const char* field, mode_t otherwise) {
  return static_cast<mode_t>(IntegerAt(source, {field}, otherwise)) & 0777;
}

// The keys of a ConfigMap or Secret, in the order of `items` or all of them.
Result<Files> FilesOf(const Json& source, const Json& object, bool encoded, mode_t mode) {
  std::map<std::string, std::pair<std::string, mode_t>> wanted;  // by key
  for (const Json& item : ArrayAt(source, {"items"})) {
    wanted[TextAt(item, {"key"})] = {TextAt(item, {"path"}), ModeAt(item, "mode", mode)};
  }
  Files files;
  for (const auto& [key, value] : ObjectAt(object, {"data"}).items()) {
    if (!wanted.empty() && !wanted.contains(key)) continue;
    auto [file, file_mode] = wanted.empty() ? std::pair(key, mode) : wanted[key];
    std::string text = value.is_string() ? value.get<std::string>() : "";
    if (encoded) {
      HOLDFAST_ASSIGN_OR_RETURN(text, kube::Base64Decode(text));
    }
    files[file] = {std::move(text), file_mode};
  }
  return files;
}

Files FieldFiles(const Json& source, const Json& pod, const std::string& address, mode_t mode) {
  Files files;
  for (const Json& item : ArrayAt(source, {"items"})) {
    std::string value = FieldReference(pod, TextAt(item, {"fieldRef", "fieldPath"}), address);
    files[TextAt(item, {"path"})] = {value, ModeAt(item, "mode", mode)};
  }
  return files;
}

class Sources {
 public:
  Sources(ApiServer& api, const Json& pod, const std::string& address) : api_(api), pod_(pod), address_(address) {}

  // Nothing when `source` is none of those that are written out.
  Result<std::optional<Files>> Collect(const Json& source, mode_t mode) {
    for (const auto& [field, collection, encoded] :
         {std::tuple("configMap", "configmaps", false), std::tuple("secret", "secrets", true)}) {
      const Json* reference = FindField(source, {field});
      if (reference == nullptr) continue;
      std::string name = TextAt(*reference, {"secretName"});
      if (name.empty()) name = TextAt(*reference, {"name"});
      ApiServer::Reply reply =
          api_.Call("GET", fmt::format("/api/v1/namespaces/{}/{}/{}", NamespaceOf(pod_), collection, name));
      if (!reply.ok() && !BoolAt(*reference, {"optional"})) {
        return Error(ErrorCode::kFailedPrecondition, fmt::format("{} \"{}\" not found", field, name));
      }
      HOLDFAST_ASSIGN_OR_RETURN(Files files,
                                FilesOf(*reference, reply.body, encoded, ModeAt(*reference, "defaultMode", mode)));
      return std::optional(std::move(files));
    }
    if (const Json* fields = FindField(source, {"downwardAPI"})) {
      return std::optional(FieldFiles(*fields, pod_, address_, ModeAt(*fields, "defaultMode", mode)));
    }
    if (const Json* projected = FindField(source, {"projected"})) {
      Files all;
      for (const Json& each : ArrayAt(*projected, {"sources"})) {
        HOLDFAST_ASSIGN_OR_RETURN(std::optional<Files> some, Collect(each, ModeAt(*projected, "defaultMode", mode)));
        if (!some) return Error(ErrorCode::kNotSupported, "this projected source is not run locally");
        all.merge(*some);
      }
      return std::optional(std::move(all));
    }
    return std::optional<Files>();
  }

 private:
  ApiServer& api_;
  const Json& pod_;
  const std::string& address_;
};

Status WriteFiles(const fs::path& folder, const Files& files, const Access& access) {
  HOLDFAST_RETURN_IF_ERROR(MakeFolder(folder));
  HOLDFAST_RETURN_IF_ERROR(SetAccess(folder, 0755, {access.root, std::nullopt}));
  for (const auto& [name, content] : files) {
    if (!IsPlainName(name)) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("the file name \"{}\" is not a plain name", name));
    }
    HOLDFAST_RETURN_IF_ERROR(WriteFile(folder / name, content, access));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    // A folder is where a container has mounted something else; taking it away would take that mount with it.
    if (!files.contains(entry.path().filename().string()) && !entry.is_directory(error))
      fs::remove(entry.path(), error);
  }
  return Status::Ok();
}

// As the kubelet shares a volume with the pod's fsGroup: everything in it belongs to the group, which may write.
Status ShareWithGroup(const fs::path& folder, const Access& access, bool only_on_mismatch) {
  struct stat found {};
  constexpr mode_t kShared = S_ISGID | 0070;
  if (only_on_mismatch && stat(folder.c_str(), &found) == 0 && found.st_gid == *access.group &&
      (found.st_mode & kShared) == kShared) {
    return Status::Ok();
  }
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_symlink(error) || lstat(entry.path().c_str(), &found) != 0) continue;
    mode_t more = entry.is_directory(error) ? S_ISGID | 0770 : 0660;
    HOLDFAST_RETURN_IF_ERROR(SetAccess(entry.path(), (found.st_mode & 07777) | more, access));
  }
  if (error) return Error(ErrorCode::kUnavailable, "cannot read " + folder.string() + ": " + error.message());
  // Last: a folder that says it is shared has been shared to the end.
  return SetAccess(folder, S_ISGID | 0777, access);
}

}  // namespace

Volumes::Volumes(ApiServer& api, fs::path root, fs::path pod_folder)
    : api_(api), root_(std::move(root)), pod_folder_(std::move(pod_folder)) {}

Result<std::map<std::string, fs::path>> Volumes::Materialize(const Json& pod, const std::string& address) {
  std::map<std::string, fs::path> folders;
  for (const Json& volume : ArrayAt(pod, {"spec", "volumes"})) {
    std::string name = TextAt(volume, {"name"});
    auto folder = MaterializeOne(pod, volume, address);
    if (!folder.ok()) return std::move(folder).error().WithContext("volume \"" + name + "\"");
    folders[name] = std::move(folder).value();
  }
  return folders;
}

Result<fs::path> Volumes::MaterializeOne(const Json& pod, const Json& volume, const std::string& address) {
  std::string ns = NamespaceOf(pod);
  std::string name = TextAt(volume, {"name"});
  if (!IsPlainName(name)) return Error(ErrorCode::kInvalidArgument, "its name is not a plain name");
  fs::path folder = pod_folder_ / "volumes" / name;
  Access access;
  const Json& security = ObjectAt(pod, {"spec", "securityContext"});
  if (security.contains("fsGroup")) access.group = static_cast<gid_t>(IntegerAt(security, {"fsGroup"}));

  HOLDFAST_ASSIGN_OR_RETURN(std::optional<Files> files, Sources(api_, pod, address).Collect(volume, kDefaultMode));
  if (files) {
    HOLDFAST_RETURN_IF_ERROR(WriteFiles(folder, *files, access));
    return folder;
  }
  bool claimed = false;
  if (std::string claim = TextAt(volume, {"persistentVolumeClaim", "claimName"}); !claim.empty()) {
    ApiServer::Reply reply =
        api_.Call("GET", fmt::format("/api/v1/namespaces/{}/persistentvolumeclaims/{}", ns, claim));
    if (!reply.ok() || IsTerminating(reply.body)) {
      return Error(ErrorCode::kFailedPrecondition, fmt::format("persistentvolumeclaim \"{}\" not found", claim));
    }
    folder = ClaimFolder(root_, ns, claim);
    claimed = true;
  } else if (!volume.contains("emptyDir")) {
    return Error(ErrorCode::kNotSupported,
                 "only configMap, secret, downwardAPI, projected, emptyDir and persistentVolumeClaim are run locally");
  }
  if (shared_.contains(name)) return folder;
  HOLDFAST_RETURN_IF_ERROR(MakeFolder(folder));
  if (access.root && access.group) {
    bool lazily = TextAt(security, {"fsGroupChangePolicy"}) == "OnRootMismatch";
    HOLDFAST_RETURN_IF_ERROR(ShareWithGroup(folder, access, claimed && lazily));
  } else {
    HOLDFAST_RETURN_IF_ERROR(SetAccess(folder, 0777, access));
  }
  shared_[name] = true;
  return folder;
}

fs::path ClaimFolder(const fs::path& root, const std::string& ns, const std::string& claim) {
  return root / "volumes" / ns / claim;
}

}  // namespace holdfast::local
