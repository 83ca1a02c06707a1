#include "service/cli/token_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files/read_file.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxTokenBytes = 64 * 1024;  // more is no header

}  // namespace

Result<std::string> ReadTokenFile(const Arguments& arguments) {
  if (!arguments.Has(kTokenFileOption.name)) return std::string();
  const std::string path = arguments.Get(kTokenFileOption.name);
  const Result<std::string> read = files::ReadFile(path, kMaxTokenBytes);
  std::string token = read.ok() ? *read : std::string();
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });  // no header of its own
  if (token.empty() || !printable) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("--token-file: {} cannot be read or holds no token of one line", path));
  }
  return token;
}

}  // namespace holdfast::cli
