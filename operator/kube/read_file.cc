#include "operator/kube/read_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace holdfast::kube {

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int cause = errno;
    return Error(cause == ENOENT || cause == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition,
                 "cannot read " + path + ": " + std::strerror(cause));
  }
  std::string text(max_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return Error(ErrorCode::kFailedPrecondition, "cannot read " + path + ": it is no regular file");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > max_bytes) {
    return Error(ErrorCode::kResourceExhausted,
                 path + " is larger than " + std::to_string(max_bytes) + " bytes; is it the right file?");
  }
  return text;
}

}  // namespace holdfast::kube
