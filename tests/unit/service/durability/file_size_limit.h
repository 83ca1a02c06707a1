// A disk that is full, and what fills it, for tests.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <string>

namespace holdfast::durability {

// Files of this process may become so large, while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// What does not get smaller by compression.
inline std::string Noise(std::size_t count, std::uint32_t seed = 1) {
  std::string noise;
  for (std::uint32_t random = seed; noise.size() < count;) {
    random = random * 1664525U + 1013904223U;
    noise.push_back(static_cast<char>(random >> 24));
  }
  return noise;
}

}  // namespace holdfast::durability
