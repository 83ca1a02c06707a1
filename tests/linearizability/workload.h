// Random calls of concurrent clients on few keys, recorded. The seed decides what is asked; the scheduler decides how
// it meets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/linearizability/history.h"

namespace holdfast::linearizability {

// One client's way to the service or backend. Used by one thread at a time.
class Caller {
 public:
  virtual ~Caller() = default;
  // Makes the call and fills in what was told: conditions_held, applied, outcomes.
  virtual void Make(Call& call) = 0;
};

struct Workload {
  std::uint64_t seed = 1;
  int clients = 6;
  int calls_per_client = 100;
  std::vector<std::string> keys;
  bool transactions = false;  // instead of single operations
  // Whether deletes that need the key to be absent are among them: backends take those, the HTTP API does not.
  bool deletes_if_absent = true;
};

// In no order. Keys must be fresh: the checker begins with nothing there.
History Run(const Workload& workload, const std::function<std::unique_ptr<Caller>()>& connect);

// HOLDFAST_SEED, or 1.
std::uint64_t Seed();

}  // namespace holdfast::linearizability
