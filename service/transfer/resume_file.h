// How far a run of a command has come, in a file, so that the next one with the same words goes on from there. One JSON
// object, docs/operations.md. It is replaced whole and synced, so that after a crash it says what one of the last two
// calls of Save said; what was done since is done again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result/result.h"

namespace holdfast::transfer {

struct Reached {
  std::string cursor;       // everything up to here is done; any bytes, the command's own
  std::uint64_t items = 0;  // that were gone through
  std::uint64_t failed = 0;
};

// Not thread-safe.
class ResumeFile {
 public:
  // `run` tells this run from another: what is copied, from where, to where. An error when the file cannot be read, or
  // is of another run; there is none yet: everything is to be done.
  static Result<ResumeFile> Open(std::string path, std::string run);

  const Reached& reached() const { return reached_; }
  bool resumed() const { return resumed_; }
  Status Save(Reached reached);
  // The run is complete.
  Status Remove();

 private:
  ResumeFile(std::string path, std::string run) : path_(std::move(path)), run_(std::move(run)) {}
  Status Read(const std::string& text);

  std::string path_;
  std::string run_;
  Reached reached_;
  bool resumed_ = false;
};

}  // namespace holdfast::transfer
