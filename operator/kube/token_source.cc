#include "operator/kube/token_source.h"

#include <sys/stat.h>

#include <tuple>

#include "base/files/read_file.h"
#include "base/log/log.h"

namespace holdfast::kube {
namespace {

class FixedToken final : public TokenSource {
 public:
  explicit FixedToken(std::string token) : token_(std::move(token)) {}
  std::string Token() override { return token_; }
  bool Renew(const std::string&) override { return false; }

 private:
  const std::string token_;
};

Result<std::string> ReadToken(const std::string& path) {
  HOLDFAST_ASSIGN_OR_RETURN(std::string token, files::ReadFile(path, kTokenMaxBytes));
  const std::size_t end = token.find_last_not_of(" \t\r\n");
  token.resize(end == std::string::npos ? 0 : end + 1);
  if (token.empty()) return Error(ErrorCode::kInvalidArgument, "token file " + path + " is empty");
  // A line break would let the file's owner write headers of their own.
  for (const char c : token) {
    if (c <= ' ' || c == 0x7f) {
      return Error(ErrorCode::kInvalidArgument, "token file " + path + " holds more than one token");
    }
  }
  return token;
}

class FileToken final : public TokenSource {
 public:
  FileToken(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}

  Status Open() {
    const std::lock_guard lock(mutex_);
    return Read(StateOfFile());
  }

  std::string Token() override {
    const std::lock_guard lock(mutex_);
    const FileState state = StateOfFile();
    if (state != read_state_ || clock_.Monotonic() - read_at_ >= kTokenRereadInterval) ReadAgain(state);
    return token_;
  }

  bool Renew(const std::string& refused) override {
    const std::lock_guard lock(mutex_);
    ReadAgain(StateOfFile());
    return token_ != refused;
  }

 private:
  // Device, inode, size and time of change: kubelet swaps a symbolic link, others write in place.
  using FileState = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t>;

  FileState StateOfFile() const {
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) return {};
    return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }

  // Requires mutex_. `state` was taken before the read: a change in between is seen by the next look.
  Status Read(const FileState& state) {
    read_state_ = state;
    read_at_ = clock_.Monotonic();
    HOLDFAST_ASSIGN_OR_RETURN(token_, ReadToken(path_));
    return {};
  }

  // Requires mutex_.
  void ReadAgain(const FileState& state) {
    const Status status = Read(state);
    if (!status.ok()) log::Warn("keeping the last token", {{"error", status.error().message()}});
  }

  const std::string path_;
  const Clock& clock_;
  std::mutex mutex_;
  std::string token_;        // guarded by mutex_
  FileState read_state_;     // guarded by mutex_
  MonotonicTime read_at_{};  // guarded by mutex_
};

}  // namespace

std::unique_ptr<TokenSource> MakeFixedToken(std::string token) {
  return std::make_unique<FixedToken>(std::move(token));
}

Result<std::unique_ptr<TokenSource>> OpenTokenFile(const std::string& path, const Clock& clock) {
  auto source = std::make_unique<FileToken>(path, clock);
  HOLDFAST_RETURN_IF_ERROR(source->Open());
  return std::unique_ptr<TokenSource>(std::move(source));
}

}  // namespace holdfast::kube
