#include "tests/postgres/template_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "tests/postgres/server_process.h"

namespace holdfast::postgres_servers {
namespace {

namespace fs = std::filesystem;

Status Failed(const char* what, const fs::path& path) {
  return Error(ErrorCode::kInternal, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

Status InitialiseInto(const Sandbox& sandbox, const fs::path& data) {
  const fs::path password = sandbox.Write("password", kPassword);
  return RunProgram(sandbox, {PostgresProgram("initdb"), "--data-checksums", "--no-sync", "--encoding=UTF8",
                              "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "--username", kSuperuser,
                              "--pwfile", password.string(), "--pgdata", data.string()});
}

// Copies a tree and gives it to the account. The modes matter: PostgreSQL refuses a data folder others may read.
Status CopyTree(const fs::path& from, const fs::path& to, const Account& account) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive, error);
  if (error) {
    return Error(ErrorCode::kInternal,
                 fmt::format("cannot copy {} to {}: {}", from.string(), to.string(), error.message()));
  }
  if (chmod(to.c_str(), 0700) != 0) return Failed("chmod", to);
  if (!account.change) return {};
  if (chown(to.c_str(), account.user, account.group) != 0) return Failed("chown", to);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(to)) {
    if (chown(entry.path().c_str(), account.user, account.group) != 0) return Failed("chown", entry.path());
  }
  return {};
}

// Under the lock of one process at a time.
Status MakeTemplate(const Sandbox& sandbox, const fs::path& ready) {
  if (fs::exists(ready)) return {};
  const fs::path made = sandbox.folder() / "template";
  HOLDFAST_RETURN_IF_ERROR(InitialiseInto(sandbox, made));
  // By a rename, so that a test that dies here leaves nothing that looks complete.
  const fs::path half = ready.string() + ".part";
  fs::remove_all(half);
  HOLDFAST_RETURN_IF_ERROR(CopyTree(made, half, {}));
  std::error_code error;
  fs::rename(half, ready, error);
  if (error) return Error(ErrorCode::kInternal, "cannot rename " + half.string() + ": " + error.message());
  fs::remove_all(made);
  return {};
}

}  // namespace

Status CopyTemplate(const Sandbox& sandbox, const fs::path& data) {
  const fs::path ready = fmt::format("{}-{}", HOLDFAST_POSTGRES_TEMPLATES, geteuid());
  const int lock = open((ready.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  // A build folder of somebody else.
  if (lock < 0) return InitialiseInto(sandbox, data);
  if (flock(lock, LOCK_EX) != 0) return Failed("lock", ready.string() + ".lock");
  const Status made = MakeTemplate(sandbox, ready);
  close(lock);
  HOLDFAST_RETURN_IF_ERROR(made);
  return CopyTree(ready, data, ServerAccount());
}

}  // namespace holdfast::postgres_servers
