// How servers of a Redis backend with sentinels go when the spec asks for fewer, those with the highest numbers: a pure
// function of the facts. While they are there no sentinel may make one of them the master (replica-priority 0), and a
// master among them hands over to one that stays, as it does whenever its pod ends (rollout_decision.h). Their pods go
// when a server that stays is the master and all others that stay are in step; then the sentinels forget them, one
// after the other: SENTINEL RESET, each when the one before has found everybody again, so that a majority watches all
// the time (redis.io/docs/management/sentinel, "Removing the old master or unreachable replicas"). The number of
// sentinels does not change, nor what is a majority of them.
//
// Nothing is remembered between two calls: servers and sentinels say how far it is, and the StatefulSet how many it has
// (operator/resources/redis_servers.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/sentinel/server_report.h"
#include "operator/sentinel/view.h"

namespace holdfast::sentinel {

struct ScaleServer {
  std::string host;
  bool pod = false;                                   // there is one
  bool leaving = false;                               // which is being deleted
  bool in_step = false;                               // it serves as the master, or has what that one has
  std::optional<ServerReport> report = std::nullopt;  // nothing: no answer
};

struct ScaleSentinel {
  std::string pod;
  Report report;
};

struct ScaleFacts {
  std::int64_t wanted = 0;           // servers that the spec asks for: those with the lowest numbers stay
  std::int64_t pods = 0;             // that the StatefulSet asks for
  std::int64_t names = 0;            // servers that have a Service
  bool enough = false;               // the StatefulSet says that those that are wanted are enough for what it is now
  std::vector<ScaleServer> servers;  // by number, all that are named
  std::string master;                // its host: whom most sentinels name and who serves; empty: nobody
  std::int64_t sentinels = 0;        // that the spec asks for
  std::vector<ScaleSentinel> answers;
};

enum class ScaleAct {
  kNothing,    // there are as many as are wanted, and no sentinel knows others
  kWait,       // for what the message says
  kMark,       // have no sentinel make the server `target` the master
  kUnmark,     // the server `target` stays, and may be the master again
  kHandOver,   // delete the pod of `target`, the master, which hands over before it ends
  kLetGo,      // say on the StatefulSet that those that are wanted are enough: pods may go
  kForget,     // reset the sentinel `target`
  kDropNames,  // say the same once more: now their names may go
};

struct ScaleStep {
  ScaleAct act = ScaleAct::kNothing;
  std::string target = {};   // a pod
  std::string message = {};  // "of 5 servers 3 stay; the master demo-cache-4 hands over"
};

ScaleStep DecideScale(const ScaleFacts& facts);

}  // namespace holdfast::sentinel
