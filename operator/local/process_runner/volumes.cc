#include "operator/local/process_runner/volumes.h"

#include <fmt/format.h>

#include <fstream>
#include <set>

#include "operator/kube/base64.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// Beside the old one, then over it: a reader sees one or the other.
Status WriteFile(const fs::path& path, const std::string& text) {
  std::error_code error;
  if (fs::exists(path, error) && ReadFile(path) == text) return Status::Ok();
  fs::path fresh = path;
  fresh += ".new";
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) return Error(ErrorCode::kUnavailable, "cannot write " + fresh.string());
  }
  fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write, error);
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

// File name to content, in the order of `items` or all of them.
Result<std::map<std::string, std::string>> FilesOf(const Json& source, const Json& object, bool encoded) {
  std::map<std::string, std::string> wanted;  // key → file
  for (const Json& item : ArrayAt(source, {"items"})) wanted[TextAt(item, {"key"})] = TextAt(item, {"path"});
  std::map<std::string, std::string> files;
  for (const auto& [key, value] : ObjectAt(object, {"data"}).items()) {
    if (!wanted.empty() && !wanted.contains(key)) continue;
    std::string file = wanted.empty() ? key : wanted[key];
    if (!IsPlainName(file)) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("the file name \"{}\" is not a plain name", file));
    }
    std::string text = value.is_string() ? value.get<std::string>() : "";
    if (encoded) {
      HOLDFAST_ASSIGN_OR_RETURN(text, kube::Base64Decode(text));
    }
    files[file] = std::move(text);
  }
  return files;
}

Status WriteFiles(const fs::path& folder, const std::map<std::string, std::string>& files) {
  HOLDFAST_RETURN_IF_ERROR(MakeFolder(folder));
  for (const auto& [name, text] : files) {
    HOLDFAST_RETURN_IF_ERROR(WriteFile(folder / name, text));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!files.contains(entry.path().filename().string())) fs::remove_all(entry.path(), error);
  }
  return Status::Ok();
}

}  // namespace

Volumes::Volumes(ApiServer& api, fs::path root, fs::path pod_folder)
    : api_(api), root_(std::move(root)), pod_folder_(std::move(pod_folder)) {}

Result<std::map<std::string, fs::path>> Volumes::Materialize(const Json& pod) {
  std::map<std::string, fs::path> folders;
  for (const Json& volume : ArrayAt(pod, {"spec", "volumes"})) {
    std::string name = TextAt(volume, {"name"});
    auto folder = MaterializeOne(pod, volume);
    if (!folder.ok()) return std::move(folder).error().WithContext("volume \"" + name + "\"");
    folders[name] = std::move(folder).value();
  }
  return folders;
}

Result<fs::path> Volumes::MaterializeOne(const Json& pod, const Json& volume) {
  std::string ns = NamespaceOf(pod);
  std::string name = TextAt(volume, {"name"});
  if (!IsPlainName(name)) return Error(ErrorCode::kInvalidArgument, "its name is not a plain name");
  fs::path folder = pod_folder_ / "volumes" / name;
  for (const auto& [source, collection, encoded] :
       {std::tuple("configMap", "configmaps", false), std::tuple("secret", "secrets", true)}) {
    const Json* reference = FindField(volume, {source});
    if (reference == nullptr) continue;
    std::string object = TextAt(*reference, {encoded ? "secretName" : "name"});
    ApiServer::Reply reply = api_.Call("GET", fmt::format("/api/v1/namespaces/{}/{}/{}", ns, collection, object));
    if (!reply.ok() && !BoolAt(*reference, {"optional"})) {
      return Error(ErrorCode::kFailedPrecondition, fmt::format("{} \"{}\" not found", source, object));
    }
    HOLDFAST_ASSIGN_OR_RETURN(auto files, FilesOf(*reference, reply.body, encoded));
    HOLDFAST_RETURN_IF_ERROR(WriteFiles(folder, files));
    return folder;
  }
  if (std::string claim = TextAt(volume, {"persistentVolumeClaim", "claimName"}); !claim.empty()) {
    ApiServer::Reply reply =
        api_.Call("GET", fmt::format("/api/v1/namespaces/{}/persistentvolumeclaims/{}", ns, claim));
    if (!reply.ok() || IsTerminating(reply.body)) {
      return Error(ErrorCode::kFailedPrecondition, fmt::format("persistentvolumeclaim \"{}\" not found", claim));
    }
    folder = ClaimFolder(root_, ns, claim);
  } else if (!volume.contains("emptyDir")) {
    return Error(ErrorCode::kNotSupported,
                 "only configMap, secret, emptyDir and persistentVolumeClaim are run locally");
  }
  HOLDFAST_RETURN_IF_ERROR(MakeFolder(folder));
  return folder;
}

fs::path ClaimFolder(const fs::path& root, const std::string& ns, const std::string& claim) {
  return root / "volumes" / ns / claim;
}

}  // namespace holdfast::local
