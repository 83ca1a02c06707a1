#include "service/cli/token_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace holdfast::cli {

Result<std::string> ReadTokenFile(const Arguments& arguments) {
  if (!arguments.Has(kTokenFileOption.name)) return std::string();
  const std::string path = arguments.Get(kTokenFileOption.name);
  std::ifstream file(path, std::ios::binary);
  std::string token{std::istreambuf_iterator<char>(file), {}};
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });  // no header of its own
  if (!file || token.empty() || !printable) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("--token-file: {} cannot be read or holds no token of one line", path));
  }
  return token;
}

}  // namespace holdfast::cli
