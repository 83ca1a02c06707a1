// Patterns over names: `*` is any run of bytes, `?` is one byte, `\` takes the next byte literally; every other byte is
// itself. No byte separates. At most pattern times name steps, so a hostile pattern costs little.
#pragma once

#include <string_view>

namespace holdfast::coordination {

bool MatchesGlob(std::string_view pattern, std::string_view name);

}  // namespace holdfast::coordination
