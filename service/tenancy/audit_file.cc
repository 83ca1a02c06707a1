#include "service/tenancy/audit_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/log/log.h"

namespace holdfast::tenancy {

Result<std::unique_ptr<AuditFile>> AuditFile::Open(const std::string& path, metrics::Counter& lost) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} cannot be opened for appending ({}) (setting audit.file)",
                                                          path, std::generic_category().message(errno)));
  }
  return std::unique_ptr<AuditFile>(new AuditFile(path, file, lost));
}

AuditFile::AuditFile(std::string path, int file, metrics::Counter& lost)
    : path_(std::move(path)), file_(file), lost_(lost), thread_([this] { Loop(); }) {}

AuditFile::~AuditFile() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  close(file_);
}

void AuditFile::Append(const std::string& line) {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() + line.size() >= kMaxPendingAuditBytes) return lost_.Increment();
    pending_.append(line).push_back('\n');
  }
  wake_.notify_one();
}

void AuditFile::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
    if (pending_.empty()) return;
    std::string lines;
    lines.swap(pending_);
    lock.unlock();
    Write(lines);
    lock.lock();
  }
}

void AuditFile::Write(const std::string& lines) {
  std::string_view rest = lines;
  // What follows a torn line must not be taken for its end.
  if (torn_ && write(file_, "\n", 1) == 1) torn_ = false;
  while (!rest.empty()) {
    const ssize_t written = write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = errno;
      torn_ = torn_ || (rest.size() < lines.size() && lines[lines.size() - rest.size() - 1] != '\n');
      lost_.Increment(static_cast<double>(std::count(rest.begin(), rest.end(), '\n')));
      if (!failing_) {
        log::Error("audit records are being lost",
                   {{"file", path_}, {"error", std::generic_category().message(error)}});
      }
      failing_ = true;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (failing_) log::Info("audit records are written again", {{"file", path_}});
  failing_ = false;
}

}  // namespace holdfast::tenancy
