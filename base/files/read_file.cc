#include "base/files/read_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace holdfast::files {
namespace {

constexpr std::size_t kStep = 64 * 1024;

}  // namespace

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int cause = errno;
    return Error(cause == ENOENT || cause == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition,
                 "cannot read " + path + ": " + std::strerror(cause));
  }
  return ReadStream(file, path, max_bytes);
}

Result<std::string> ReadStream(std::istream& stream, const std::string& name, std::size_t max_bytes) {
  std::string text;
  while (stream && text.size() <= max_bytes) {
    const std::size_t had = text.size();
    text.resize(had + std::min(kStep, max_bytes + 1 - had));
    errno = 0;
    stream.read(text.data() + had, static_cast<std::streamsize>(text.size() - had));
    text.resize(had + static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) {
    const int cause = errno;
    return Error(ErrorCode::kFailedPrecondition,
                 "cannot read " + name + ": " + (cause != 0 ? std::strerror(cause) : "it is no regular file"));
  }
  if (text.size() > max_bytes) {
    return Error(ErrorCode::kResourceExhausted,
                 name + " is larger than " + std::to_string(max_bytes) + " bytes; is it the right file?");
  }
  return text;
}

}  // namespace holdfast::files
