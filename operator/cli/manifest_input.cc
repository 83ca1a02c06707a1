#include "operator/cli/manifest_input.h"

#include "base/files/read_file.h"

namespace holdfast::cli {
namespace {

// An API server takes an object of 1.5 MiB.
constexpr std::size_t kMaxBytes = 64u << 20;

}  // namespace

std::string NameOfInput(const std::string& file) {
  return file == "-" ? "standard input" : file;
}

Result<std::string> ReadManifestInput(const std::string& file, std::istream& in) {
  return file == "-" ? files::ReadStream(in, NameOfInput(file), kMaxBytes) : files::ReadFile(file, kMaxBytes);
}

}  // namespace holdfast::cli
