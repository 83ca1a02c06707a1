#include "operator/sentinel/view.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "operator/kube/status_update.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;

constexpr int kWriteAttempts = 5;
constexpr char kList[] = "redis";
constexpr State kStates[] = {State::kServing, State::kFailingOver, State::kNoMaster, State::kSentinelsSilent};

// Names and values by turns.
Result<std::map<std::string, std::string>> FieldsOf(const redis::Value& reply) {
  if (!reply.IsArray() || reply.elements().empty() || reply.elements().size() % 2 != 0) {
    return Error(ErrorCode::kCorruption, "a sentinel's answer is no list of fields");
  }
  const std::vector<redis::Value>& list = reply.elements();
  std::map<std::string, std::string> fields;
  for (std::size_t i = 0; i < list.size(); i += 2) {
    if (list[i].IsString() && list[i + 1].IsString()) fields[list[i].text()] = list[i + 1].text();
  }
  return fields;
}

bool HasFlag(std::map<std::string, std::string>& fields, std::string_view flag) {
  const std::string all = "," + fields["flags"] + ",";
  return all.find("," + std::string(flag) + ",") != std::string::npos;
}

bool ReadNumber(const std::string& text, std::int64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

Json ToJson(const View& view) {
  Json members = Json::array();
  for (const View::Member& member : view.members) members.push_back({{"pod", member.pod}, {"role", member.role}});
  Json entry = {{"backend", view.backend},
                {"state", NameOf(view.state)},
                {"replicas", view.replicas},
                {"replicasInStep", view.in_step},
                {"members", std::move(members)}};
  if (!view.master.empty()) entry["master"] = view.master;
  return entry;
}

// The entry of a list that has this name under `key`.
Json::iterator FindIn(Json& list, const char* key, const std::string& name) {
  return std::find_if(list.begin(), list.end(),
                      [&](const Json& each) { return kube::StringAt(each, std::string("/") + key) == name; });
}

// The status with the view, or without any of the backend.
Json WithView(const Json& cluster_object, const std::string& backend, const View* view) {
  Json status = cluster_object.value("status", Json::object());
  Json list = status.value(kList, Json::array());
  const auto mine = FindIn(list, "backend", backend);
  if (mine != list.end()) list.erase(mine);
  if (view != nullptr) list.push_back(ToJson(*view));
  // Always in the same order, whoever was written last.
  std::sort(list.begin(), list.end(),
            [](const Json& a, const Json& b) { return kube::StringAt(a, "/backend") < kube::StringAt(b, "/backend"); });
  if (list.empty()) {
    status.erase(kList);
  } else {
    status[kList] = std::move(list);
  }
  if (!status.contains("backends")) return status;
  Json& backends = status["backends"];
  const auto of_backend = FindIn(backends, "name", backend);
  if (of_backend == backends.end()) return status;
  if (view != nullptr && view->state == State::kServing) {
    (*of_backend)["primary"] = view->master;
  } else {
    of_backend->erase("primary");
  }
  return status;
}

Result<Json> Write(kube::Client& client, Json cluster_object, const std::string& backend, const View* view,
                   Deadline deadline) {
  const auto status_of = [&](const Json& present) { return WithView(present, backend, view); };
  return kube::UpdateStatus(client, kube::kinds::kStorageCluster, std::move(cluster_object),
                            {"status.redis", kWriteAttempts, status_of}, deadline);
}

}  // namespace

const char* NameOf(State state) {
  switch (state) {
    case State::kServing:
      return "Serving";
    case State::kFailingOver:
      return "FailingOver";
    case State::kNoMaster:
      return "NoMaster";
    case State::kSentinelsSilent:
      break;
  }
  return "SentinelsSilent";
}

Result<Report> ParseReport(const redis::Value& master, const redis::Value& replicas) {
  HOLDFAST_ASSIGN_OR_RETURN(auto fields, FieldsOf(master));
  Report report;
  report.master = fields["ip"];
  std::int64_t silent = 0;
  if (report.master.empty() || !ReadNumber(fields["config-epoch"], &report.epoch)) {
    return Error(ErrorCode::kCorruption, "a sentinel names no master");
  }
  if (ReadNumber(fields["last-ok-ping-reply"], &silent)) report.silent = std::chrono::milliseconds{silent};
  ReadNumber(fields["num-other-sentinels"], &report.others);
  report.down = HasFlag(fields, "s_down");
  report.failover = HasFlag(fields, "failover_in_progress");
  if (!replicas.IsArray()) return Error(ErrorCode::kCorruption, "a sentinel names no replicas");
  for (const redis::Value& each : replicas.elements()) {
    HOLDFAST_ASSIGN_OR_RETURN(auto of_replica, FieldsOf(each));
    const bool away = HasFlag(of_replica, "s_down") || HasFlag(of_replica, "disconnected");
    const bool follows = of_replica["master-host"] == report.master && of_replica["master-link-status"] == "ok";
    Report::Replica replica{.host = of_replica["ip"], .in_step = !away && follows, .away = away};
    ReadNumber(of_replica["slave-priority"], &replica.priority);
    report.replicas.push_back(std::move(replica));
  }
  return report;
}

std::string PodOf(const std::string& host) {
  return host.substr(0, host.find('.'));
}

View Judge(std::string backend, const std::vector<Report>& reports, std::int64_t sentinels, std::int64_t instances) {
  View view{.backend = std::move(backend), .replicas = instances - 1};
  const auto answered = static_cast<std::int64_t>(reports.size());
  if (answered * 2 <= sentinels) return view;
  const Report& newest = *std::max_element(reports.begin(), reports.end(),
                                           [](const Report& a, const Report& b) { return a.epoch < b.epoch; });
  const auto down = std::count_if(reports.begin(), reports.end(), [](const Report& each) { return each.down; });
  const bool failover = std::any_of(reports.begin(), reports.end(), [](const Report& each) { return each.failover; });
  view.state = failover ? State::kFailingOver : down * 2 > answered ? State::kNoMaster : State::kServing;
  view.master = PodOf(newest.master);
  view.members.push_back({view.master, "Master"});
  for (const Report::Replica& replica : newest.replicas) {
    view.in_step += replica.in_step ? 1 : 0;
    view.members.push_back({PodOf(replica.host), replica.in_step ? "Replica" : "Behind"});
  }
  std::sort(view.members.begin(), view.members.end(),
            [](const View::Member& a, const View::Member& b) { return a.pod < b.pod; });
  return view;
}

std::optional<View> ViewOf(const Json& cluster_object, std::string_view backend) {
  static const Json::json_pointer pointer("/status/redis");
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return std::nullopt;
  for (const Json& each : cluster_object.at(pointer)) {
    // What stands there of shards is another controller's (operator/shards/view.h), which hears of the same pods.
    if (kube::StringAt(each, "/backend") != backend || each.contains("shards")) continue;
    View view{.backend = std::string(backend), .master = kube::StringAt(each, "/master")};
    for (const State state : kStates) {
      if (kube::StringAt(each, "/state") == NameOf(state)) view.state = state;
    }
    view.replicas = each.value("replicas", std::int64_t{0});
    view.in_step = each.value("replicasInStep", std::int64_t{0});
    for (const Json& member : each.value("members", Json::array())) {
      view.members.push_back({kube::StringAt(member, "/pod"), kube::StringAt(member, "/role")});
    }
    return view;
  }
  return std::nullopt;
}

Result<Json> WriteView(kube::Client& client, Json cluster_object, const View& view, Deadline deadline) {
  return Write(client, std::move(cluster_object), view.backend, &view, deadline);
}

Result<Json> EraseView(kube::Client& client, Json cluster_object, const std::string& backend, Deadline deadline) {
  return Write(client, std::move(cluster_object), backend, nullptr, deadline);
}

}  // namespace holdfast::sentinel
