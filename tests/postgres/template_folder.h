// What initdb makes, made once per build folder and copied for each server: initdb takes most of a second, a copy some
// tenths. Several test programs may ask at once; one makes it, the others wait.
#pragma once

#include <filesystem>

#include "base/result/result.h"
#include "tests/postgres/sandbox.h"

namespace holdfast::postgres_servers {

// The superuser of every server made here, and its password over TCP. The Unix socket asks for none.
inline constexpr const char* kSuperuser = "postgres";
inline constexpr const char* kPassword = "only-for-tests";

// A fresh data folder (checksums on, locale C, UTF-8) inside the sandbox, owned by ServerAccount().
Status CopyTemplate(const Sandbox& sandbox, const std::filesystem::path& data);

}  // namespace holdfast::postgres_servers
