// Holds a run with faults against the run without: what must be the same in both, and what no run may do.
//   I1   it comes to rest after every step
//   I3   as many volumes, StatefulSets, pods and secrets were ever made as in the reference, no more and no fewer
//   I7   every migration that ran in the reference ran once, in the same order, and no other
//   I9   at rest nothing is written; faults cost at most three times the writes of the reference
//   I10  after every step there is exactly what there is in the reference: nothing is left over, nothing is missing
// and the violations of single requests (faulty_client.h): I2, I7, I8, I11.
#pragma once

#include <string>
#include <vector>

#include "tests/faults/fault_bench.h"

namespace holdfast::faults {

// What is wrong with `run`, one line each, beginning with the invariant; empty = nothing. Steps that a plan hides are
// not compared, and what came and went in them unseen need never have been made.
std::vector<std::string> Judge(const RunRecord& reference, const RunRecord& run, const FaultPlan& plan);

}  // namespace holdfast::faults
