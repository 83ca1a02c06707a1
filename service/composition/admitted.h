// Some operations of a call: run apart from the others, whose results are assigned already.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::composition {

// Hands those at these positions to `run`, together and in their order.
template <typename Run>
void RunAt(const std::vector<std::size_t>& positions, std::span<const storage::Operation> operations,
           std::span<storage::OperationResult> results, const Run& run) {
  if (positions.empty()) return;
  std::vector<storage::Operation> some;
  some.reserve(positions.size());
  for (const std::size_t i : positions) some.push_back(operations[i]);
  std::vector<storage::OperationResult> answers(some.size());
  run(some, answers);
  for (std::size_t k = 0; k < positions.size(); ++k) results[positions[k]] = std::move(answers[k]);
}

// Hands those of the operations that `admit` finds nothing against to `run`; the others have its error.
template <typename Admit, typename Run>
void RunAdmitted(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
                 const Admit& admit, const Run& run) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    results[i] = storage::OperationResult{};
    results[i].status = admit(operations[i]);
    if (results[i].status.ok()) positions.push_back(i);
  }
  RunAt(positions, operations, results, run);
}

}  // namespace holdfast::composition
