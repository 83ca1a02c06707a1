#include "operator/local/process_runner/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace holdfast::local {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& each : strings) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// For kernels without close_range.
constexpr int kHighestDescriptor = 4096;

struct Prepared {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* directory;
  int output;
  int report;
  pid_t parent;
};

// Between fork and exec in a process with threads: only calls that are safe in a signal handler.
[[noreturn]] void BecomeProgram(const Prepared& prepared) {
  auto fail = [&] {
    int error = errno;
    (void)!write(prepared.report, &error, sizeof error);
    _exit(127);
  };
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the kernel was told to watch it.
  if (getppid() != prepared.parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) fail();
  if (dup2(prepared.output, STDOUT_FILENO) < 0 || dup2(prepared.output, STDERR_FILENO) < 0) fail();
  // Listening sockets of libraries that do not mark theirs must not live on in the child.
  if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int each = STDERR_FILENO + 1; each < kHighestDescriptor; ++each) fcntl(each, F_SETFD, FD_CLOEXEC);
  }
  if (chdir(prepared.directory) != 0) fail();
  execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  fail();
  _exit(127);
}

ProcessExit Interpret(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace

Result<Process> Process::Start(const ProcessSpec& spec) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    return Error(ErrorCode::kResourceExhausted, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  std::string directory = spec.directory.string();
  Prepared prepared{
      Pointers(spec.arguments), Pointers(spec.environment), directory.c_str(), spec.output, report[1], getpid()};
  pid_t pid = fork();
  if (pid == 0) BecomeProgram(prepared);
  int fork_error = errno;
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return Error(ErrorCode::kResourceExhausted, std::string("cannot start a process: ") + std::strerror(fork_error));
  }
  // Ends without a byte when the program took over.
  int error = 0;
  ssize_t got;
  do {
    got = read(report[0], &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got == static_cast<ssize_t>(sizeof error)) {
    waitpid(pid, nullptr, 0);
    return Error(ErrorCode::kNotFound, "cannot run " + spec.arguments[0] + ": " + std::strerror(error));
  }
  return Process(pid);
}

Process::~Process() {
  if (pid_ == 0 || exit_) return;
  Signal(SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<ProcessExit> Process::Poll() {
  if (exit_ || pid_ == 0) return exit_;
  int status = 0;
  pid_t done = waitpid(pid_, &status, WNOHANG);
  if (done == pid_) {
    exit_ = Interpret(status);
    // Whatever the program left behind in its group goes with it.
    kill(-pid_, SIGKILL);
  }
  return exit_;
}

void Process::Signal(int signal) {
  if (pid_ != 0 && !exit_) kill(-pid_, signal);
}

}  // namespace holdfast::local
