#include "operator/kubectl/run_verb.h"

#include <algorithm>
#include <ctime>
#include <ostream>
#include <thread>

#include "base/time/clock.h"
#include "base/time/duration.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kubectl/text_table.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr std::chrono::milliseconds kLookInterval{1'000};
constexpr std::size_t kMaximumName = 253;

std::string PhaseOf(const Json& object) {
  const std::string phase = kube::StringAt(object, "/status/phase");
  return phase.empty() ? "Pending" : phase;
}

// "demo-main-20261123t120500z"
std::string DefaultName(const std::string& cluster, const std::string& store) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y%m%dt%H%M%Sz", &utc);
  return (cluster + "-" + store + "-" + std::string(text, length)).substr(0, kMaximumName);
}

int WaitForEnd(const RunVerb& verb, const Connection& connection, const kube::ObjectKey& key,
               std::chrono::microseconds timeout, const Streams& streams) {
  const Deadline deadline = Deadline::After(std::chrono::duration_cast<std::chrono::milliseconds>(timeout));
  std::string told;
  while (true) {
    const auto object = connection.client->Get(verb.kind, key, VerbDeadline());
    if (!object.ok()) return Fail(verb.command, object.error(), streams);
    const std::string phase = PhaseOf(*object);
    const std::string message = kube::StringAt(*object, "/status/message");
    const std::string line = phase + (message.empty() ? "" : ": " + message);
    if (kube::HasCondition(*object, "Complete")) {
      streams.out << line << "\n";
      return 0;
    }
    if (kube::HasCondition(*object, "Failed")) {
      streams.error << verb.command << ": " << line << "\n";
      return 1;
    }
    if (line != told) streams.error << line << "\n";
    told = line;
    if (deadline.Expired()) {
      streams.error << verb.command << ": " << verb.kind.kind << " " << key.ToString()
                    << " is not over, and goes on; `--list` shows it, and whether the operator runs `kubectl holdfast "
                       "status`\n";
      return 1;
    }
    std::this_thread::sleep_for(kLookInterval);
  }
}

}  // namespace

std::vector<cli::Flag> RunFlags::Flags() {
  return {cli::TextFlag({"--store"}, &store),       cli::TextFlag({"--name"}, &name),
          cli::TextFlag({"--deadline"}, &deadline), cli::TextFlag({"--timeout"}, &timeout),
          cli::SwitchFlag({"--wait"}, &wait),       cli::SwitchFlag({"--list"}, &list)};
}

int ListRuns(const RunVerb& verb, const Connection& connection, const std::string& cluster, const Streams& streams) {
  auto listed = connection.client->List(verb.kind, connection.ns, {}, VerbDeadline());
  if (!listed.ok()) return Fail(verb.command, listed.error(), streams);
  std::vector<Json> objects;
  for (Json& object : listed->items) {
    if (cluster.empty() || kube::StringAt(object, "/spec/cluster") == cluster) objects.push_back(std::move(object));
  }
  if (objects.empty()) {
    streams.error << "there is no " << verb.kind.kind << " in namespace " << connection.ns
                  << (cluster.empty() ? "" : " of StorageCluster " + cluster) << "\n";
    return 0;
  }
  std::sort(objects.begin(), objects.end(), [](const Json& a, const Json& b) {
    return kube::StringAt(a, "/metadata/creationTimestamp") < kube::StringAt(b, "/metadata/creationTimestamp");
  });
  TextTable table("");
  std::vector<std::string> row = {"NAME", "CLUSTER", "STORE"};
  row.insert(row.end(), verb.columns.begin(), verb.columns.end());
  row.insert(row.end(), {"AGE", "MESSAGE"});
  table.Row(std::move(row));
  for (const Json& object : objects) {
    row = {kube::KeyOf(object).name, kube::StringAt(object, "/spec/cluster"), kube::StringAt(object, "/spec/store")};
    for (std::string& cell : verb.cells(object)) row.push_back(std::move(cell));
    row.push_back(AgeOf(kube::StringAt(object, "/metadata/creationTimestamp"), SystemClock().Now()));
    row.push_back(kube::StringAt(object, "/status/message"));
    table.Row(std::move(row));
  }
  streams.out << table.Text();
  return 0;
}

int BeginRun(const RunVerb& verb, const Connection& connection, const std::string& cluster, const RunFlags& flags,
             Json spec, const Streams& streams) {
  const auto timeout = ParseDuration(flags.timeout);
  if (!timeout.ok()) {
    streams.error << verb.command << ": --timeout is a duration such as 30m, not " << flags.timeout << "\n";
    return 2;
  }
  // Waiting for a cluster that is misspelt helps nobody who is sitting here.
  const auto there = connection.client->Get(kube::kinds::kStorageCluster, {connection.ns, cluster}, VerbDeadline());
  if (!there.ok()) return Fail(verb.command, there.error(), streams);
  const kube::ObjectKey key{connection.ns, flags.name.empty() ? DefaultName(cluster, flags.store) : flags.name};
  spec["cluster"] = cluster;
  spec["store"] = flags.store;
  if (!flags.deadline.empty()) spec["deadline"] = flags.deadline;
  const auto made = connection.client->Create(verb.kind,
                                              {{"apiVersion", api::kApiVersion},
                                               {"kind", verb.kind.kind},
                                               {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                                               {"spec", std::move(spec)}},
                                              VerbDeadline());
  if (!made.ok()) return Fail(verb.command, made.error(), streams);
  streams.out << verb.kind.kind << " " << key.ToString() << " made\n";
  return flags.wait ? WaitForEnd(verb, connection, key, *timeout, streams) : 0;
}

}  // namespace holdfast::kubectl
