// What the server and the library report, as the errors of the contract: the one place that knows SQLSTATEs.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/result/error.h"

namespace holdfast::storage::postgres {

enum class StatementKind {
  kRead,   // changes nothing: may be asked again
  kWrite,  // commits by itself: when the answer is lost nobody knows
};

struct StatementFailure {
  Error error;
  std::string sqlstate;          // empty: not the server's words
  bool connection_lost = false;  // nothing more can be done with it

  // The server undid the statement because others were in its way; the same again may succeed.
  bool Retryable() const { return sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "23505"; }
};

// `timed_out`: the connection was cut here, because the deadline passed.
StatementFailure FailureOf(std::string_view sqlstate, std::string_view message, StatementKind kind, bool lost,
                           bool timed_out);
// The exception being handled, which libpqxx threw. `open`: whether the connection still stands.
StatementFailure FailureOf(const std::exception& thrown, StatementKind kind, bool open, bool timed_out);
// The same of a connection that could not be made.
Error ConnectFailure(const std::exception& thrown);

}  // namespace holdfast::storage::postgres
