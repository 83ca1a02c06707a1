// One child process in a process group of its own, which dies with this process: the kernel kills it when the thread
// that started it ends for any reason (PR_SET_PDEATHSIG), so that thread must live as long as the child. Not
// thread-safe; used from the thread that made it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"

namespace holdfast::local {

struct ProcessSpec {
  std::vector<std::string> arguments;    // [0] is the path of the program
  std::vector<std::string> environment;  // "NAME=value", complete: nothing is inherited
  std::filesystem::path directory;
  int output = -1;  // standard output and error; not closed here
};

struct ProcessExit {
  int code = 0;    // when it ended by itself, else 128 + signal
  int signal = 0;  // what killed it, or 0
};

class Process {
 public:
  static Result<Process> Start(const ProcessSpec& spec);
  Process(Process&& other) noexcept : pid_(other.pid_), exit_(other.exit_) { other.pid_ = 0; }
  Process& operator=(Process&&) = delete;
  // Kills and reaps what still runs.
  ~Process();

  pid_t pid() const { return pid_; }
  // Reaps; nothing while it runs.
  std::optional<ProcessExit> Poll();
  // To the whole group.
  void Signal(int signal);

 private:
  explicit Process(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<ProcessExit> exit_;
};

}  // namespace holdfast::local
