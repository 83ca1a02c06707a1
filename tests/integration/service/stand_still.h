// A service that is stopped in the middle of a request, by what the request leaves to be seen and not by a clock.
#pragma once

#include <csignal>
#include <functional>
#include <future>

#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {

// The status; 0: no answer came. `body`: JSON.
inline int PostTo(const Service& service, const std::string& target, const std::string& body = "") {
  http::ClientOptions options;
  options.base_url = service.url();
  http::HttpClient own(std::move(options));
  http::ClientRequest request;
  request.method = "POST";
  request.target = target;
  if (!body.empty()) request.headers = {{"Content-Type", "application/json"}};
  request.body = body;
  const auto response = own.Send(request, Deadline::After(std::chrono::seconds{60}));
  return response.ok() ? response->status : 0;
}

struct StandingStill {
  std::future<int> answer;  // of the request, once the process goes on or is gone
  int attempt = 0;
};

// `act` makes a request; the process stands still when this returns and `in_between` holds. Both are given the number
// of the attempt: a request that was too fast is made again.
inline StandingStill PauseIn(Service& service, const std::function<bool(int attempt)>& in_between,
                             const std::function<int(int attempt)>& act) {
  StandingStill still;
  for (still.attempt = 1; still.attempt <= 20; ++still.attempt) {
    still.answer = std::async(std::launch::async, act, still.attempt);
    const auto answered = [&] { return still.answer.wait_for(std::chrono::seconds{0}) == std::future_status::ready; };
    EXPECT_TRUE(Eventually([&] { return in_between(still.attempt) || answered(); }));
    service.process().Pause();
    if (in_between(still.attempt)) return still;
    service.process().Signal(SIGCONT);
    still.answer.wait();
  }
  ADD_FAILURE() << "it was always faster";
  return still;
}

}  // namespace holdfast
