#include "tests/postgres/sandbox.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fmt/format.h"

namespace holdfast::postgres_servers {
namespace {

// Reads process ids until the test is gone, then ends the last of them. It leaves the test's session and family, so
// that whoever kills the test with all its descendants does not kill it too. SIGQUIT is PostgreSQL's immediate stop:
// it takes the children along and leaves no shared memory behind. Nothing waits for SIGKILL's turn longer than 10 s.
constexpr const char* kGuardian = R"sh(
exec 3<&0
{
  trap '' HUP INT TERM
  pid=0
  while read -r line <&3; do pid=$line; done
  case "$(readlink "/proc/$pid/cwd")" in
    "$1" | "$1"/*)
      children=$(cat "/proc/$pid/task/$pid/children")
      kill -QUIT $pid
      kill -CONT $pid $children
      tries=0
      while kill -0 $pid && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
      done
      kill -KILL $pid $children
      ;;
  esac
  rm -rf -- "$1"
} <&3 &
)sh";

// -1 when there is no guardian.
int StartGuardian(const std::filesystem::path& folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const std::string name = folder.string();
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    const int nowhere = open("/dev/null", O_WRONLY);
    if (chdir("/") != 0 || nowhere < 0 || dup2(ends[0], STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0 ||
        dup2(nowhere, STDERR_FILENO) < 0) {
      _exit(127);
    }
    execl("/bin/sh", "sh", "-c", kGuardian, "guardian", name.c_str(), nullptr);
    _exit(127);
  }
  close(ends[0]);
  int status = 1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    close(ends[1]);
    return -1;
  }
  return ends[1];
}

Account FindAccount() {
  if (geteuid() != 0) return {geteuid(), getegid(), false};
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* found = getpwnam(name)) return {found->pw_uid, found->pw_gid, true};
  }
  std::abort();
}

// The system's own folder for such things, unless its name leaves no room for a socket's.
std::string Parent() {
  constexpr std::size_t kLongestParent = 60;
  std::string parent = std::filesystem::temp_directory_path().string();
  return parent.size() <= kLongestParent ? parent : "/tmp";
}

}  // namespace

const Account& ServerAccount() {
  static const Account account = FindAccount();
  return account;
}

Result<std::unique_ptr<Sandbox>> Sandbox::Make() {
  std::string pattern = Parent() + "/hf-pg-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr ||
      (ServerAccount().change && chown(pattern.c_str(), ServerAccount().user, ServerAccount().group) != 0)) {
    return Error(ErrorCode::kInternal, fmt::format("cannot make a folder {}: {}", pattern, std::strerror(errno)));
  }
  const int guardian = StartGuardian(pattern);
  if (guardian < 0) {
    std::filesystem::remove_all(pattern);
    return Error(ErrorCode::kInternal, fmt::format("cannot start the guardian of {}", pattern));
  }
  return std::unique_ptr<Sandbox>(new Sandbox(pattern, guardian));
}

Sandbox::~Sandbox() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  close(guardian_);
}

std::filesystem::path Sandbox::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = folder_ / name;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file || chmod(path.c_str(), 0600) != 0) std::abort();
  const Account& account = ServerAccount();
  if (account.change && chown(path.c_str(), account.user, account.group) != 0) std::abort();
  return path;
}

void Sandbox::Guard(pid_t pid) const {
  const std::string line = fmt::format("{}\n", pid);
  // A guardian that is gone has nobody to answer for; SIGPIPE is not wanted for that.
  static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(ignored);
  static_cast<void>(!write(guardian_, line.data(), line.size()));
}

}  // namespace holdfast::postgres_servers
