// What was observed of one lock, and whether it can have been a lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::coordination {

// Points in the order of a counter that every thread draws from around its calls.
struct Call {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
struct Tenure {
  Call acquire;
  Call release;
  std::uint64_t token = 0;
};
struct History {
  std::vector<Tenure> tenures;
  std::vector<Call> refusals;
};

// What is wrong with a history of one lock; empty when it is linearisable. A tenure surely lasts from the end of its
// acquire to the beginning of its release, and may last from the beginning of the one to the end of the other.
inline std::string FindFault(History history) {
  std::sort(history.tenures.begin(), history.tenures.end(),
            [](const Tenure& a, const Tenure& b) { return a.token < b.token; });
  for (std::size_t i = 1; i < history.tenures.size(); ++i) {
    const Tenure& before = history.tenures[i - 1];
    const Tenure& after = history.tenures[i];
    if (before.token == after.token) return "two holders with token " + std::to_string(after.token);
    // The later one can have begun only when the earlier one can have ended.
    if (after.acquire.end < before.release.begin)
      return "two holders at once, the later with " + std::to_string(after.token);
  }
  for (const Call& refusal : history.refusals) {
    const bool explained = std::any_of(history.tenures.begin(), history.tenures.end(), [&](const Tenure& tenure) {
      return tenure.acquire.begin < refusal.end && refusal.begin < tenure.release.end;
    });
    if (!explained) return "refused while nobody can have held it";
  }
  return "";
}

}  // namespace holdfast::coordination
