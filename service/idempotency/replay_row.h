// What stands in a tenant's Room::kReplays for a request with an Idempotency-Key: that it was begun, and then how it
// was answered. The format: docs/formats/replay-rows.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::idempotency {

struct Answer {
  int status = 0;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;  // without line feeds
  std::string body;
};

struct ReplayRow {
  enum class State {
    kBegun,    // somebody runs it, or did so until a crash
    kDone,     // `answer` is the first answer
    kDropped,  // done as well; the answer was longer than what is kept
  };
  State state = State::kBegun;
  std::string fingerprint;  // of the request; no blanks or line feeds
  Timestamp until{};        // kBegun: who runs it has given up by then
  Answer answer;            // kDone; kDropped: its status

  std::string Encode() const;
  // nullopt when the bytes are no such row.
  static std::optional<ReplayRow> Decode(std::string_view bytes);
};

}  // namespace holdfast::idempotency
