// The file that audit records are appended to, by a thread of its own, so that a slow disk holds up no request.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/metrics/metrics.h"
#include "base/result/result.h"

namespace holdfast::tenancy {

inline constexpr std::size_t kMaxPendingAuditBytes = 16u << 20;

// Thread-safe. The destructor writes what is pending.
class AuditFile {
 public:
  // Created with mode 0600 when it is missing. `lost` counts lines that could not be written.
  static Result<std::unique_ptr<AuditFile>> Open(const std::string& path, metrics::Counter& lost);
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // `line` without its newline. Dropped and counted when kMaxPendingAuditBytes wait already.
  void Append(const std::string& line);

 private:
  AuditFile(std::string path, int file, metrics::Counter& lost);
  void Loop();
  // On the writer's thread.
  void Write(const std::string& lines);

  const std::string path_;
  const int file_;
  metrics::Counter& lost_;
  bool failing_ = false;  // writer's thread only; a lasting failure is logged once
  bool torn_ = false;     // writer's thread only; the file may end in part of a line

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string pending_;    // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::tenancy
