// Decides whether a history is linearisable: whether each call can be given one moment between its invocation and its
// return, so that in the order of these moments a single thread would have been told the same. A history of
// transactions that passes is strictly serialisable.
//
// The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) in the form of Lowe ("Testing for
// linearizability", 2017): calls are tried depth first, just in time, in a linked list of invocations and returns, and
// a pair of (set of calls placed, state) is never tried twice.
#pragma once

#include <string>

#include "tests/linearizability/history.h"

namespace holdfast::linearizability {

struct Verdict {
  bool linearizable = false;
  // When it is not: how far the search came, and the calls of which none could be next.
  std::string explanation;
};

// Every call has returned. Exponential at worst; the versions in the outcomes keep it near linear for a few hundred
// calls.
Verdict Check(const History& history);

}  // namespace holdfast::linearizability
