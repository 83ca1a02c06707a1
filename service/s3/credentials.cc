#include "service/s3/credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace holdfast::s3 {
namespace {

Result<std::string> ReadKey(const std::string& setting, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string key(kMaxKeyBytes + 2, '\0');
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(file.gcount()));
  while (key.ends_with('\n') || key.ends_with('\r')) key.pop_back();
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!key.empty() && key.size() <= kMaxKeyBytes && printable) return key;
  return Error(ErrorCode::kFailedPrecondition,
               fmt::format("{}: cannot take a key from {}: it has to be there, readable, and hold one line of 1 to {} "
                           "printable characters without blanks",
                           setting, path, kMaxKeyBytes));
}

}  // namespace

Result<SigningKey> ReadSigningKey(const BucketOptions& options) {
  SigningKey key;
  HOLDFAST_ASSIGN_OR_RETURN(key.access_key, ReadKey(options.setting + ".access_key_file", options.access_key_file));
  HOLDFAST_ASSIGN_OR_RETURN(key.secret_key, ReadKey(options.setting + ".secret_key_file", options.secret_key_file));
  return key;
}

}  // namespace holdfast::s3
