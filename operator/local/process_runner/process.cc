#include "operator/local/process_runner/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

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
constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

// Mounting and executing may wait for a file system that does not answer; whoever starts a process must not do so for
// ever.
constexpr std::chrono::seconds kStartDeadline{60};

// What failed, told through the report pipe.
enum class Stage : int { kProgram, kContainment, kRoot, kUser };

struct Failure {
  Stage stage;
  int error;
  int step;  // of the root
};

struct Pipe {
  int ends[2] = {-1, -1};
  bool Open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void Close(int end) { close(std::exchange(ends[end], -1)); }
  int Release(int end) { return std::exchange(ends[end], -1); }
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (int each : ends) {
      if (each >= 0) close(each);
    }
  }
};

struct Prepared {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::string directory;
  int output = -1;
  int report = -1;
  int status = -1;
  const Containment* containment = nullptr;
  const ProcessUser* user = nullptr;
  // Of a user namespace with this user alone; empty as root.
  std::string user_map;
  std::string group_map;
};

// Everything from here to Launch runs between clone and exec in a process with threads: only calls that are safe in a
// signal handler.

[[noreturn]] void Fail(const Prepared& prepared, Stage stage, int step = 0) {
  Failure failure{stage, errno, step};
  (void)!write(prepared.report, &failure, sizeof failure);
  _exit(127);
}

void DieWithParent(const Prepared& prepared) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the kernel was told to watch it; then nobody reads the report.
  pollfd reader{prepared.report, 0, 0};
  if (poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0) _exit(127);
}

[[noreturn]] void BecomeProgram(const Prepared& prepared) {
  setpgid(0, 0);
  if (const ProcessUser* user = prepared.user; user != nullptr && prepared.user_map.empty()) {
    // Not through the C library, which would have every thread of the parent do it, and waits for a lock one may hold.
    if (syscall(SYS_setgroups, user->groups.size(), user->groups.data()) != 0 ||
        syscall(SYS_setresgid, user->group, user->group, user->group) != 0 ||
        syscall(SYS_setresuid, user->user, user->user, user->user) != 0) {
      Fail(prepared, Stage::kUser);
    }
  }
  // After the change of user, which would undo it.
  DieWithParent(prepared);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) Fail(prepared, Stage::kProgram);
  if (dup2(prepared.output, STDOUT_FILENO) < 0 || dup2(prepared.output, STDERR_FILENO) < 0) {
    Fail(prepared, Stage::kProgram);
  }
  // Listening sockets of libraries that do not mark theirs must not live on in the child.
  if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int each = STDERR_FILENO + 1; each < kHighestDescriptor; ++each) fcntl(each, F_SETFD, FD_CLOEXEC);
  }
  if (chdir(prepared.directory.c_str()) != 0) Fail(prepared, Stage::kProgram);
  execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  Fail(prepared, Stage::kProgram);
}

bool WriteText(const char* path, const std::string& text) {
  int descriptor = open(path, O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  bool written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int error = errno;
  close(descriptor);
  errno = error;
  return written;
}

void EnterRoot(const Prepared& prepared) {
  if (!prepared.user_map.empty() &&
      (!WriteText("/proc/self/setgroups", "deny") || !WriteText("/proc/self/uid_map", prepared.user_map) ||
       !WriteText("/proc/self/gid_map", prepared.group_map))) {
    Fail(prepared, Stage::kContainment);
  }
  const Containment& containment = *prepared.containment;
  // What is mounted here stays here.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) Fail(prepared, Stage::kContainment);
  for (std::size_t i = 0; i < containment.root.size(); ++i) {
    if (!DoRootStep(containment.root[i])) Fail(prepared, Stage::kRoot, static_cast<int>(i));
  }
  if (chroot(containment.root_folder.c_str()) != 0 || chdir("/") != 0) Fail(prepared, Stage::kContainment);
  if (sethostname(containment.host_name.data(), containment.host_name.size()) != 0) {
    Fail(prepared, Stage::kContainment);
  }
}

// The first process of the container: passes signals on, reaps what was orphaned, ends with the program, and takes
// everything with it when it does.
[[noreturn]] void Attend(const Prepared& prepared, pid_t program, const sigset_t& all) {
  constexpr int kStatus = 3;
  if (prepared.status != kStatus) dup2(prepared.status, kStatus);
  int nothing = open("/dev/null", O_RDWR);
  for (int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, each);
  if (close_range(kStatus + 1, ~0u, 0) != 0) {
    for (int each = kStatus + 1; each < kHighestDescriptor; ++each) close(each);
  }
  while (true) {
    siginfo_t info;
    int signal = sigwaitinfo(&all, &info);
    if (signal != SIGCHLD) {
      if (signal > 0) kill(program, signal);
      continue;
    }
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != program) continue;
      (void)!write(kStatus, &status, sizeof status);
      _exit(0);
    }
  }
}

[[noreturn]] void BecomeContainer(const Prepared& prepared) {
  setpgid(0, 0);
  DieWithParent(prepared);
  prctl(PR_SET_NAME, "container");
  EnterRoot(prepared);
  sigset_t all;
  sigfillset(&all);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, fault);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  // Not fork(), which takes locks that another thread may hold.
  auto program = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (program == 0) BecomeProgram(prepared);
  if (program < 0) Fail(prepared, Stage::kContainment);
  Attend(prepared, program, all);
}

pid_t Launch(const Prepared& prepared) {
  if (prepared.containment == nullptr) {
    pid_t pid = fork();
    if (pid == 0) BecomeProgram(prepared);
    return pid;
  }
  int flags = kNamespaces | SIGCHLD | (prepared.user_map.empty() ? 0 : CLONE_NEWUSER);
  auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) BecomeContainer(prepared);
  return pid;
}

ProcessExit Interpret(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

Error Explain(const ProcessSpec& spec, const Failure& failure) {
  std::string why = std::strerror(failure.error);
  switch (failure.stage) {
    case Stage::kContainment:
      return {ErrorCode::kUnavailable, "cannot contain a process: " + why};
    case Stage::kRoot: {
      const RootStep& step = spec.containment->root[static_cast<std::size_t>(failure.step)];
      return {ErrorCode::kUnavailable,
              fmt::format("cannot mount {} at {}: {}", step.source.empty() ? "a file system" : step.source,
                          step.target.substr(spec.containment->root_folder.string().size()), why)};
    }
    case Stage::kUser:
      return {ErrorCode::kFailedPrecondition, fmt::format("cannot run as user {}: {}", spec.user->user, why)};
    case Stage::kProgram:
      break;
  }
  return {ErrorCode::kNotFound, "cannot run " + spec.arguments[0] + ": " + why};
}

}  // namespace

Result<Process> Process::Start(const ProcessSpec& spec) {
  Pipe report;
  Pipe status;
  if (!report.Open() || (spec.containment && !status.Open())) {
    return Error(ErrorCode::kResourceExhausted, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  Prepared prepared;
  prepared.arguments = Pointers(spec.arguments);
  prepared.environment = Pointers(spec.environment);
  prepared.directory = spec.directory.string();
  prepared.output = spec.output;
  prepared.report = report.ends[1];
  prepared.status = status.ends[1];
  if (spec.containment) prepared.containment = &*spec.containment;
  if (spec.user) prepared.user = &*spec.user;
  if (spec.containment && geteuid() != 0) {
    prepared.user_map = fmt::format("{} {} 1", spec.user ? spec.user->user : geteuid(), geteuid());
    prepared.group_map = fmt::format("{} {} 1", spec.user ? spec.user->group : getegid(), getegid());
  }
  pid_t pid = Launch(prepared);
  int launch_error = errno;
  report.Close(1);
  if (spec.containment) status.Close(1);
  if (pid < 0) {
    return Error(ErrorCode::kResourceExhausted, std::string("cannot start a process: ") + std::strerror(launch_error));
  }
  pollfd told{report.ends[0], POLLIN, 0};
  int ready;
  do {
    ready = poll(&told, 1, static_cast<int>(std::chrono::milliseconds(kStartDeadline).count()));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return Error(ErrorCode::kDeadlineExceeded,
                 fmt::format("{} has not begun within {} s", spec.arguments[0], kStartDeadline.count()));
  }
  // Ends without a byte when the program took over.
  Failure failure{};
  ssize_t got;
  do {
    got = read(report.ends[0], &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof failure)) {
    waitpid(pid, nullptr, 0);
    return Explain(spec, failure);
  }
  return Process(pid, status.Release(0));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), status_(std::exchange(other.status_, -1)), exit_(other.exit_) {}

Process::~Process() {
  if (pid_ != 0 && !exit_) {
    Signal(SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (status_ >= 0) close(status_);
}

std::optional<ProcessExit> Process::Poll() {
  if (exit_ || pid_ == 0) return exit_;
  int status = 0;
  pid_t done = waitpid(pid_, &status, WNOHANG);
  if (done == pid_) {
    // A container that was killed as a whole has told nothing.
    int told = 0;
    if (status_ >= 0 && !WIFSIGNALED(status) &&
        read(status_, &told, sizeof told) == static_cast<ssize_t>(sizeof told)) {
      status = told;
    }
    exit_ = Interpret(status);
    // Whatever a plain program left behind in its group goes with it.
    kill(-pid_, SIGKILL);
  }
  return exit_;
}

void Process::Signal(int signal) {
  if (pid_ != 0 && !exit_) kill(-pid_, signal);
}

ContainmentAbility FindContainmentAbility(const std::filesystem::path& folder, std::string* why_not) {
  ProcessSpec spec;
  std::filesystem::path root = folder / "containment";
  std::error_code error;
  std::filesystem::create_directories(root, error);
  auto planned = PlanRoot(root, {});
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  spec.arguments = {"/bin/true"};
  spec.directory = "/";
  spec.output = nowhere;
  spec.containment = Containment{planned.ok() ? std::move(planned).value() : std::vector<RootStep>(), root, "test"};
  auto process = Process::Start(spec);
  close(nowhere);
  if (process.ok()) {
    while (!process->Poll()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } else {
    *why_not = process.error().message();
  }
  std::filesystem::remove(root, error);
  if (!process.ok()) return ContainmentAbility::kNone;
  return geteuid() == 0 ? ContainmentAbility::kFull : ContainmentAbility::kOneUser;
}

}  // namespace holdfast::local
