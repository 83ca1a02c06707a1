#include "tests/patroni/container.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

namespace holdfast::patroni_cluster {
namespace {

using postgres_servers::Account;
using postgres_servers::Sandbox;
using postgres_servers::ServerAccount;

// What runs between fork and exec, and in the init process, may only make calls that are safe in the child of a process
// with threads.

void KillChildren() {
  char path[64];
  // snprintf is not on the list of safe calls; the number is written by hand.
  char digits[16];
  int length = 0;
  for (pid_t rest = getpid(); rest > 0; rest /= 10) digits[length++] = static_cast<char>('0' + rest % 10);
  char* end = path;
  const auto append = [&end](const char* text) {
    while (*text != '\0') *end++ = *text++;
  };
  const auto append_number = [&] {
    for (int i = length - 1; i >= 0; --i) *end++ = digits[i];
  };
  append("/proc/");
  append_number();
  append("/task/");
  append_number();
  append("/children");
  *end = '\0';
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[4096];
  const ssize_t got = read(file, text, sizeof text);
  close(file);
  pid_t pid = 0;
  for (ssize_t i = 0; i < got; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      pid = pid * 10 + (text[i] - '0');
    } else if (pid != 0) {
      kill(pid, SIGKILL);
      pid = 0;
    }
  }
}

// Stands for the container: orphans become its children, and it ends when none is left. SIGTERM goes to the first
// process, SIGQUIT (the guardian's) ends all.
[[noreturn]] void BeInit(pid_t first, const sigset_t& signals) {
  int code = 0;
  bool over = false;
  while (!over) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM) kill(first, SIGTERM);
    if (signal == SIGQUIT) KillChildren();
    int status = 0;
    for (pid_t ended = waitpid(-1, &status, WNOHANG); ended > 0; ended = waitpid(-1, &status, WNOHANG)) {
      if (ended != first) continue;
      code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      over = true;
    }
  }
  do {
    KillChildren();
  } while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
  _exit(code);
}

[[noreturn]] void Become(const Account& account, const char* folder, const char* log, char* const* words,
                         char* const* environment) {
  setpgid(0, 0);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGQUIT}) sigaddset(&signals, signal);
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  const int output = open(log, O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (nothing < 0 || output < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(output, STDERR_FILENO) < 0) {
    _exit(126);
  }
  if (account.change && (setgroups(0, nullptr) != 0 || setgid(account.group) != 0 || setuid(account.user) != 0)) {
    _exit(126);
  }
  // The init process never executes another program, so nothing else closes what it was born with: the guardian of the
  // sandbox, for one, waits for the test's end of its pipe.
  if (close_range(3, ~0U, 0) != 0) _exit(126);
  if (chdir(folder) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) _exit(126);
  const pid_t first = fork();
  if (first == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(words[0], words, environment);
    _exit(127);
  }
  if (first < 0) _exit(126);
  BeInit(first, signals);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& each : strings) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A child belongs to the thread that started it.
void AddDescendants(pid_t pid, std::vector<pid_t>* found) {
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), gone)) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) {
      found->push_back(child);
      AddDescendants(child, found);
    }
  }
}

}  // namespace

Result<std::unique_ptr<Container>> Container::Start(const Sandbox& sandbox, std::vector<std::string> words,
                                                    std::vector<std::string> environment,
                                                    const std::filesystem::path& log) {
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(environment);
  const std::string folder = sandbox.folder().string();
  const std::string output = log.string();
  const Account& account = ServerAccount();
  const pid_t pid = fork();
  if (pid == 0) Become(account, folder.c_str(), output.c_str(), argv.data(), envp.data());
  if (pid < 0) return Error(ErrorCode::kInternal, fmt::format("cannot fork: {}", std::strerror(errno)));
  sandbox.Guard(pid);
  return std::unique_ptr<Container>(new Container(sandbox, pid));
}

Container::~Container() {
  if (exit_code_) return;
  Kill();
  waitpid(init_, nullptr, 0);
  sandbox_.Guard(0);
}

std::optional<int> Container::ExitCode() {
  if (exit_code_) return exit_code_;
  int status = 0;
  if (waitpid(init_, &status, WNOHANG) != init_) return std::nullopt;
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  sandbox_.Guard(0);
  return exit_code_;
}

void Container::Terminate() const {
  if (!exit_code_) kill(init_, SIGTERM);
}

void Container::Kill() const {
  SignalAll(SIGKILL);
  if (!exit_code_) kill(init_, SIGQUIT);
}

void Container::Freeze() const {
  // Until none is born between two looks.
  for (std::size_t known = 0, now = Processes().size(); now != known; now = Processes().size()) {
    known = now;
    SignalAll(SIGSTOP);
  }
}

void Container::Thaw() const {
  SignalAll(SIGCONT);
}

std::vector<pid_t> Container::Processes() const {
  std::vector<pid_t> found;
  if (!exit_code_) AddDescendants(init_, &found);
  return found;
}

void Container::SignalAll(int signal) const {
  for (const pid_t pid : Processes()) kill(pid, signal);
}

}  // namespace holdfast::patroni_cluster
