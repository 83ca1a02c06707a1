// A server program as a child of the test, run by ServerAccount() inside a sandbox. Thread-safe only in that Signal
// may be called from any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "tests/postgres/sandbox.h"

namespace holdfast::postgres_servers {

class ServerProcess {
 public:
  // `words[0]` is the program's path. What it writes is appended to `log`.
  static Result<std::unique_ptr<ServerProcess>> Start(const Sandbox& sandbox, const std::vector<std::string>& words,
                                                      const std::filesystem::path& log);
  // Kills what still runs, with its children.
  ~ServerProcess();

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int signal) const;
  // To the process and the children it has at this moment. PostgreSQL's are each a process group of their own. The
  // parent is stopped first, so that none is born meanwhile.
  void SignalAll(int signal) const;
  // Reaps. False when it still ran at the deadline.
  bool Wait(Deadline deadline);

 private:
  ServerProcess(const Sandbox& sandbox, pid_t pid) : sandbox_(sandbox), pid_(pid) {}

  const Sandbox& sandbox_;
  const pid_t pid_;
  bool ended_ = false;
};

// Runs a program to its end as ServerAccount(). An error holds what it wrote.
Status RunProgram(const Sandbox& sandbox, const std::vector<std::string>& words);

// Where PostgreSQL's programs are: Debian keeps them apart from PATH.
std::string PostgresProgram(const std::string& name);

// The last lines of a file, for messages.
std::string Tail(const std::filesystem::path& file);

}  // namespace holdfast::postgres_servers
