#include "operator/local/process_runner/pod_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace holdfast::local {

Result<PodLog> PodLog::Open(std::filesystem::path path, std::uintmax_t limit) {
  int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return Error(ErrorCode::kUnavailable, "cannot open the log " + path.string() + ": " + std::strerror(errno));
  }
  return PodLog(std::move(path), limit, descriptor);
}

PodLog::PodLog(PodLog&& other) noexcept
    : path_(std::move(other.path_)), limit_(other.limit_), descriptor_(std::exchange(other.descriptor_, -1)) {}

PodLog::~PodLog() {
  if (descriptor_ >= 0) close(descriptor_);
}

void PodLog::Bound() {
  std::error_code error;
  if (std::filesystem::file_size(path_, error) <= limit_ || error) return;
  std::filesystem::path older = path_;
  older += ".1";
  std::filesystem::copy_file(path_, older, std::filesystem::copy_options::overwrite_existing, error);
  // With O_APPEND the next line lands at the new end.
  if (!error) std::filesystem::resize_file(path_, 0, error);
}

std::string TailOf(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::error_code error;
  std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return "";
  std::ifstream file(path, std::ios::binary);
  bool cut = size > max_bytes;
  if (cut) file.seekg(static_cast<std::streamoff>(size - max_bytes));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::size_t line = cut ? text.find('\n') : std::string::npos;
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace holdfast::local
