// Many keys of the store `main` with one value, for tests that ask what all of them are afterwards.
#pragma once

#include <algorithm>
#include <string>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {

inline void PutMany(Service& service, int count, const std::string& value) {
  constexpr int kBatch = 1000;
  for (int first = 0; first < count; first += kBatch) {
    nlohmann::json batch{{"operations", nlohmann::json::array()}};
    for (int i = first; i < std::min(count, first + kBatch); ++i) {
      batch["operations"].push_back({{"op", "put"}, {"key", "k" + std::to_string(100'000 + i)}, {"value", value}});
    }
    const auto answer =
        service.Send("POST", "/v1/stores/main/batch", {{"Content-Type", "application/json"}}, batch.dump());
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
}

inline std::size_t CountOf(Service& service, const std::string& value) {
  const std::string lines =
      service.Send("GET", "/v1/stores/main/keys?prefix=k&values=true", {{"Accept", "application/x-ndjson"}}).body;
  std::size_t count = 0;
  const std::string wanted = "\"value\":\"" + value + '"';
  for (std::size_t at = lines.find(wanted); at != std::string::npos; at = lines.find(wanted, at + 1)) ++count;
  return count;
}

}  // namespace holdfast
