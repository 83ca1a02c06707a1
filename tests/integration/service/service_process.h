// One run of the `holdfast` program, as a child of the test. Not thread-safe. A child that still runs at the end is
// killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  // Writes a file into it and gives its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

class Process {
 public:
  struct Options {
    std::vector<std::string> words;                  // behind "holdfast"
    std::map<std::string, std::string> environment;  // beside PATH and a sanitizer's options; no more is inherited
    std::string input;                               // given to standard input
  };
  explicit Process(const Options& options);
  ~Process();

  void Signal(int signal) const;
  // Returns once none of its threads runs any more; Signal(SIGCONT) has them go on.
  void Pause() const;
  // The exit code, or 128 + the signal that ended it; fails the test and kills it when it takes longer.
  int Wait(std::chrono::seconds patience = std::chrono::seconds{60});
  bool Running();
  // What it has written so far.
  std::string Output() const;
  std::string Errors() const;

 private:
  TemporaryFolder folder_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

struct Finished {
  int exit_code = 0;
  std::string output;
  std::string errors;
};
Finished RunHoldfast(const Process::Options& options);
// `holdfast migrate up`; fails the test when that does.
void MigrateUp(const std::string& database_url);

}  // namespace holdfast
