#include "tests/postgres/server_process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "fmt/format.h"

namespace holdfast::postgres_servers {
namespace {

constexpr std::chrono::milliseconds kPoll{5};

// Between fork and exec: only calls that are safe in a child of a process with threads.
[[noreturn]] void Become(const Account& account, const char* folder, const char* log, char* const* words,
                         char* const* environment) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  const int output = open(log, O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (nothing < 0 || output < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(output, STDERR_FILENO) < 0) {
    _exit(126);
  }
  if (account.change && (setgroups(0, nullptr) != 0 || setgid(account.group) != 0 || setuid(account.user) != 0)) {
    _exit(126);
  }
  if (chdir(folder) != 0) _exit(126);
  execve(words[0], words, environment);
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& each : strings) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Spawn(const Sandbox& sandbox, std::vector<std::string> words, const std::filesystem::path& log) {
  // Nothing of the caller's environment: PGHOST and the like would lead a program elsewhere.
  std::vector<std::string> variables{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + sandbox.folder().string()};
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(variables);
  const std::string folder = sandbox.folder().string();
  const std::string output = log.string();
  const Account& account = ServerAccount();
  const pid_t pid = fork();
  if (pid == 0) Become(account, folder.c_str(), output.c_str(), argv.data(), envp.data());
  return pid;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", pid));
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

// Whether it holds nothing any more: gone, or only not reaped yet by whoever inherited it.
bool IsGone(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return true;
  const std::size_t name_end = line.rfind(')');
  return name_end == std::string::npos || line.compare(name_end, 3, ") Z") == 0 ||
         line.compare(name_end, 3, ") X") == 0;
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const Sandbox& sandbox,
                                                            const std::vector<std::string>& words,
                                                            const std::filesystem::path& log) {
  const pid_t pid = Spawn(sandbox, words, log);
  if (pid < 0) return Error(ErrorCode::kInternal, fmt::format("cannot fork: {}", std::strerror(errno)));
  sandbox.Guard(pid);
  return std::unique_ptr<ServerProcess>(new ServerProcess(sandbox, pid));
}

ServerProcess::~ServerProcess() {
  if (!Running()) return;
  kill(pid_, SIGSTOP);
  const std::vector<pid_t> children = ChildrenOf(pid_);
  SignalAll(SIGKILL);
  Wait(Deadline::Infinite());
  // While one is still dying it holds the shared memory, and the next server over this data does not start.
  for (const pid_t child : children) {
    while (!IsGone(child)) std::this_thread::sleep_for(kPoll);
  }
}

bool ServerProcess::Running() {
  if (ended_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ended_ = true;
  sandbox_.Guard(0);
  return false;
}

void ServerProcess::Signal(int signal) const {
  if (!ended_) kill(pid_, signal);
}

void ServerProcess::SignalAll(int signal) const {
  if (ended_) return;
  if (signal != SIGCONT) kill(pid_, SIGSTOP);
  for (const pid_t child : ChildrenOf(pid_)) kill(child, signal);
  kill(pid_, signal);
}

bool ServerProcess::Wait(Deadline deadline) {
  while (Running()) {
    if (deadline.Expired()) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

Status RunProgram(const Sandbox& sandbox, const std::vector<std::string>& words) {
  const std::filesystem::path log = sandbox.folder() / "program.log";
  std::filesystem::remove(log);
  const pid_t pid = Spawn(sandbox, words, log);
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) {
    return Error(ErrorCode::kInternal, fmt::format("cannot run {}: {}", words[0], std::strerror(errno)));
  }
  if (status == 0) return {};
  return Error(ErrorCode::kInternal, fmt::format("{} ended with status {}: {}", words[0], status, Tail(log)));
}

std::string PostgresProgram(const std::string& name) {
  for (const char* folder : {"/usr/lib/postgresql/15/bin/", "/usr/sbin/", "/usr/local/bin/"}) {
    if (std::filesystem::exists(folder + name)) return folder + name;
  }
  return "/usr/bin/" + name;
}

std::string Tail(const std::filesystem::path& file) {
  constexpr std::size_t kLongest = 2000;
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  const std::string all = text.str();
  return all.size() <= kLongest ? all : all.substr(all.size() - kLongest);
}

}  // namespace holdfast::postgres_servers
