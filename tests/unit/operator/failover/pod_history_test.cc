#include "operator/failover/pod_history.h"

#include <gtest/gtest.h>

namespace holdfast::failover {
namespace {

using kube::Json;

Json Pod(const Json& statuses) {
  return {{"metadata", {{"name", "p"}}}, {"status", {{"containerStatuses", statuses}}}};
}

Json Running(const char* name, const char* id) {
  return {{"name", name}, {"containerID", id}, {"state", {{"running", Json::object()}}}};
}

Json Ended(const char* name, const char* id) {
  return {{"name", name}, {"containerID", id}, {"state", {{"terminated", {{"containerID", id}, {"exitCode", 1}}}}}};
}

TEST(PodHistory, OnlyTheServersContainerCounts) {
  const Json pod = Pod(Json::array({Ended("exporter", "x1"), Running("postgres", "p1")}));
  EXPECT_EQ(ContainerIdOf(pod), "p1");
  EXPECT_TRUE(IsRunning(pod));
  EXPECT_FALSE(HasEnded(pod));
  EXPECT_TRUE(HasEnded(Pod(Json::array({Running("exporter", "x1"), Ended("postgres", "p1")}))));
  // An only container is the server's, whatever it is called; of several without the name none is.
  EXPECT_EQ(ContainerIdOf(Pod(Json::array({Running("db", "p1")}))), "p1");
  EXPECT_EQ(ContainerIdOf(Pod(Json::array({Running("a", "1"), Running("b", "2")}))), "");
  EXPECT_EQ(ContainerIdOf(Json::object()), "");
  EXPECT_FALSE(HasEnded(Json::object()));
}

TEST(PodHistory, RemembersWhatEndedAlsoWhenItWasStartedAgain) {
  PodHistory history;
  history.Observe(Pod(Json::array({Running("postgres", "p1")})));
  EXPECT_FALSE(history.ContainerEnded("p1"));
  Json again = Running("postgres", "p2");
  again["lastState"] = {{"terminated", {{"containerID", "p1"}}}};
  history.Observe(Pod(Json::array({again})));
  EXPECT_TRUE(history.ContainerEnded("p1"));
  EXPECT_FALSE(history.ContainerEnded("p2"));
  history.Observe(Pod(Json::array({Ended("postgres", "p2")})));
  EXPECT_TRUE(history.ContainerEnded("p2"));
  EXPECT_FALSE(history.ContainerEnded(""));
}

TEST(PodHistory, ForgetsTheOldestOnly) {
  PodHistory history;
  for (std::size_t i = 0; i <= PodHistory::kRemembered; ++i) {
    history.Observe(Pod(Json::array({Ended("postgres", ("c" + std::to_string(i)).c_str())})));
  }
  EXPECT_FALSE(history.ContainerEnded("c0"));
  EXPECT_TRUE(history.ContainerEnded("c1"));
}

}  // namespace
}  // namespace holdfast::failover
