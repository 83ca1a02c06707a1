// A folder for one server, and a guardian that outlives the test: when the test ends in whatever way (also by SIGKILL),
// the guardian stops the server that is still running and removes the folder. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/result/result.h"

namespace holdfast::postgres_servers {

// PostgreSQL and PgBouncer refuse to run as root. A test that is root gives its servers to `postgres` or `nobody`.
struct Account {
  uid_t user = 0;
  gid_t group = 0;
  bool change = false;  // the test is root: drop to this account in the child
};
const Account& ServerAccount();

class Sandbox {
 public:
  // The name is short: a Unix socket's path may have 107 bytes.
  static Result<std::unique_ptr<Sandbox>> Make();
  // Removes the folder; the server has been stopped before.
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // Mode 0700, owned by ServerAccount().
  const std::filesystem::path& folder() const { return folder_; }
  // A file in it, mode 0600, owned by ServerAccount(). Aborts when the disk is full: a test has nothing to add.
  std::filesystem::path Write(const std::string& name, const std::string& text) const;

  // The process the guardian answers for from now on; 0 for none. Its working directory has to be the folder or below:
  // that is how the guardian knows that the number was not given to somebody else.
  void Guard(pid_t pid) const;

 private:
  Sandbox(std::filesystem::path folder, int guardian) : folder_(std::move(folder)), guardian_(guardian) {}

  std::filesystem::path folder_;
  int guardian_;  // the writing end of its standard input
};

}  // namespace holdfast::postgres_servers
