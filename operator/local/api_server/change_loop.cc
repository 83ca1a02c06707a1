#include "operator/local/api_server/change_loop.h"

#include <chrono>
#include <utility>

namespace holdfast::local {
namespace {

// How late a stop may be noticed; changes are noticed at once.
constexpr std::chrono::milliseconds kPoll{50};

}  // namespace

ChangeLoop::ChangeLoop(ApiServer& api, const Clock& clock, Pass pass)
    : thread_([&api, &clock, look = std::move(pass)](const std::stop_token& stop) {
        std::uint64_t seen = 0;
        std::optional<Timestamp> due;
        while (!stop.stop_requested()) {
          std::uint64_t now = api.WaitBeyond(seen, kPoll);
          if (now == seen && !(due && clock.Now() >= *due)) continue;
          seen = now;
          due = look(stop);
        }
      }) {}

}  // namespace holdfast::local
