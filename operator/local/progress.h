// What `local` tells while it works: short lines for people, one JSON object per line when the output is no terminal.
// Used from one thread.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class Progress {
 public:
  explicit Progress(bool for_people) : for_people_(for_people) {}

  // `event` and `details` are for programs, `line` for people.
  void Say(const std::string& event, const std::string& line, Json details = Json::object());
  // A failure, on standard error: the one line that says why.
  void Fail(const std::string& line);
  // Tells of every object that has come, and of pods that have become ready, since the last call.
  void TellOfObjects(ApiServer& api);

  bool for_people() const { return for_people_; }

 private:
  const bool for_people_;
  std::uint64_t seen_ = 0;
  std::set<std::string> told_;
};

}  // namespace holdfast::local
