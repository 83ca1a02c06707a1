// A process tree that lives and dies together, as that of a container does: whatever is started inside stays inside,
// when the first process ends the rest is killed, and all of it can be killed or frozen at once. Runs as
// ServerAccount(). Not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "tests/postgres/sandbox.h"

namespace holdfast::patroni_cluster {

class Container {
 public:
  // `words[0]` is the first process's path, `environment` all it gets. What it writes is appended to `log`. The
  // sandbox's guardian ends the tree when the test dies; one container per sandbox.
  static Result<std::unique_ptr<Container>> Start(const postgres_servers::Sandbox& sandbox,
                                                  std::vector<std::string> words, std::vector<std::string> environment,
                                                  const std::filesystem::path& log);
  // Kills it.
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // Nothing while a process of it is left; then the first one's code, or 128 + the signal that ended it.
  std::optional<int> ExitCode();
  // SIGTERM to the first process only: it is to end the others in its own order.
  void Terminate() const;
  // SIGKILL to all; also to frozen ones.
  void Kill() const;
  // SIGSTOP and SIGCONT to all, as a frozen control group.
  void Freeze() const;
  void Thaw() const;

 private:
  Container(const postgres_servers::Sandbox& sandbox, pid_t init) : sandbox_(sandbox), init_(init) {}
  // All of them, found by their parents; the one that stands for the container itself is not among them.
  std::vector<pid_t> Processes() const;
  void SignalAll(int signal) const;

  const postgres_servers::Sandbox& sandbox_;
  const pid_t init_;
  std::optional<int> exit_code_;
};

}  // namespace holdfast::patroni_cluster
