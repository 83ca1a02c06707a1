#include "tests/linearizability/rounds.h"

#include "tests/linearizability/backend_caller.h"
#include "tests/linearizability/checker.h"

namespace holdfast::linearizability {

Workload Round(int round, bool transactions) {
  Workload workload;
  workload.seed = Seed() * 10'000 + static_cast<std::uint64_t>(round);
  workload.transactions = transactions;
  for (const char* name : {"a", "b", "c"}) workload.keys.push_back(std::to_string(round) + name);
  return workload;
}

std::string Broken(storage::Backend& backend, const Workload& workload, std::size_t* calls) {
  const History history = Run(workload, [&backend] { return CallBackend(backend); });
  *calls += history.size();
  // Transactions tie the keys together, so their history is one.
  if (workload.transactions) return Check(history).explanation;
  for (const auto& [key, part] : ByKey(history)) {
    const Verdict verdict = Check(part);
    if (!verdict.linearizable) return verdict.explanation;
  }
  return "";
}

}  // namespace holdfast::linearizability
