// What `-f FILE` of a command names: a file, or what stands on its standard input. Errors are values that name it; not
// for threads that share the stream.
#pragma once

#include <istream>
#include <string>

#include "base/result/result.h"

namespace holdfast::cli {

// How messages call it: "standard input" for "-".
std::string NameOfInput(const std::string& file);

// All of the file, or of `in` for "-". kNotFound, kFailedPrecondition, kResourceExhausted above 64 MiB; every message
// names it.
Result<std::string> ReadManifestInput(const std::string& file, std::istream& in);

}  // namespace holdfast::cli
