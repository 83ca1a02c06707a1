// A pod's log file: appended to by its processes, at most `limit` bytes plus what is written between two checks, with
// one older file beside it. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result/result.h"

namespace holdfast::local {

class PodLog {
 public:
  static Result<PodLog> Open(std::filesystem::path path, std::uintmax_t limit);
  PodLog(PodLog&& other) noexcept;
  PodLog& operator=(PodLog&&) = delete;
  ~PodLog();

  // For a process to inherit as its output.
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  // Copies a file that has grown beyond the limit to <path>.1 and empties it; writers keep appending.
  void Bound();

 private:
  PodLog(std::filesystem::path path, std::uintmax_t limit, int descriptor)
      : path_(std::move(path)), limit_(limit), descriptor_(descriptor) {}

  std::filesystem::path path_;
  std::uintmax_t limit_;
  int descriptor_;
};

// The end of a log, cut at a line.
std::string TailOf(const std::filesystem::path& path, std::uintmax_t max_bytes);

}  // namespace holdfast::local
