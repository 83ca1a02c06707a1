// Whole files of a bounded size. Not by way of std::istreambuf_iterator, which throws where the file is a folder.
// Thread-safe.
#pragma once

#include <cstddef>
#include <istream>
#include <string>

#include "base/result/result.h"

namespace holdfast::files {

// kNotFound, kFailedPrecondition (no permission, a folder, a failing disk) or kResourceExhausted (more than max_bytes);
// every message names the path.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

// What is left of a stream; `name` stands for it in messages.
Result<std::string> ReadStream(std::istream& stream, const std::string& name, std::size_t max_bytes);

}  // namespace holdfast::files
