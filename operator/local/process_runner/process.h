// One child process which dies with this process: the kernel kills it when the thread that started it ends for any
// reason (PR_SET_PDEATHSIG), so that thread must live as long as the child. Not thread-safe; used from the thread that
// made it.
//
// Plain, it has a process group of its own, and a program that leaves the group escapes. Contained, it has its own
// root, process ids, host name and System V objects (Linux namespaces; the network is the machine's), and whatever it
// started ends with it, however it ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/local/process_runner/container_root.h"

namespace holdfast::local {

struct ProcessUser {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

struct Containment {
  std::vector<RootStep> root;         // of PlanRoot
  std::filesystem::path root_folder;  // what PlanRoot was given
  std::string host_name;
};

struct ProcessSpec {
  std::vector<std::string> arguments;    // [0] is the path of the program; contained: as the process sees it
  std::vector<std::string> environment;  // "NAME=value", complete: nothing is inherited
  std::filesystem::path directory;
  int output = -1;  // standard output and error; not closed here
  std::optional<Containment> containment{};
  std::optional<ProcessUser> user{};  // this process's when absent
};

struct ProcessExit {
  int code = 0;    // when it ended by itself, else 128 + signal
  int signal = 0;  // what killed it, or 0
};

class Process {
 public:
  static Result<Process> Start(const ProcessSpec& spec);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  // Kills and reaps what still runs.
  ~Process();

  // Contained, this is the process everything in the container ends with.
  pid_t pid() const { return pid_; }
  // Reaps; nothing while it runs.
  std::optional<ProcessExit> Poll();
  // Plain: to the whole group. Contained: SIGKILL to everything, others to the program alone.
  void Signal(int signal);

 private:
  Process(pid_t pid, int status) : pid_(pid), status_(status) {}

  pid_t pid_;
  int status_;  // where a contained program's end is told, or -1
  std::optional<ProcessExit> exit_;
};

// What this process may do to contain others.
enum class ContainmentAbility {
  kNone,
  kOneUser,  // by a user namespace: files are this process's user's, whatever user a container thinks it is
  kFull,     // as root
};

// Finds out by doing it once; takes some milliseconds. `folder` may be written. `why_not` says what was refused.
ContainmentAbility FindContainmentAbility(const std::filesystem::path& folder, std::string* why_not);

}  // namespace holdfast::local
