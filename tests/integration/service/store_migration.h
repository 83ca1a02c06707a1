// Steps of a test of a store `main` that moves under the running program.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>

#include "tests/integration/service/service_fixture.h"

namespace holdfast::store_migration {

inline const std::string kMigration = "/v1/stores/main/migration";

inline void Kill(Service& service) {
  service.process().Signal(SIGKILL);
  EXPECT_EQ(128 + SIGKILL, service.process().Wait());
}
inline void AwaitCopied(Service& service, int keys, std::chrono::seconds patience = std::chrono::seconds{60}) {
  const Deadline deadline = Deadline::After(patience);
  while (service.Json("GET", kMigration).at("copied") < keys && !deadline.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_GE(service.Json("GET", kMigration).at("copied"), keys) << "not within the patience";
}
inline std::string Phase(Service& service) {
  return service.Json("GET", kMigration).at("phase");
}
inline void Await(Service& service, const std::string& phase,
                  std::chrono::seconds patience = std::chrono::seconds{60}) {
  const Deadline deadline = Deadline::After(patience);
  const auto there = [&] {
    const auto report = service.Json("GET", kMigration);
    return report.at("phase") == phase && !report.at("pending");
  };
  while (!there() && !deadline.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{20});
  EXPECT_TRUE(there()) << phase << " is not where it is: " << service.Json("GET", kMigration).dump();
}
inline void Do(Service& service, const std::string& action) {
  const auto answer = service.Send("POST", kMigration + "?action=" + action);
  EXPECT_EQ(200, answer.status) << action << ": " << answer.body;
}

}  // namespace holdfast::store_migration
