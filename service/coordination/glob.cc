#include "service/coordination/glob.h"

#include <cstddef>

namespace holdfast::coordination {

bool MatchesGlob(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  // The last star seen: only it ever has to take in more, since whatever an earlier one took in could have been left to
  // it as well.
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_name = n;
      continue;
    }
    if (p < pattern.size()) {
      const bool escaped = pattern[p] == '\\' && p + 1 < pattern.size();
      const std::size_t literal = escaped ? p + 1 : p;
      if (pattern[literal] == name[n] || (!escaped && pattern[p] == '?')) {
        p = literal + 1;
        ++n;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star;
    n = ++star_name;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace holdfast::coordination
