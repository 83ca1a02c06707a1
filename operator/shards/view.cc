#include "operator/shards/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/redis/slot.h"
#include "operator/kube/status_update.h"
#include "operator/resources/names.h"
#include "operator/shards/scale_in.h"

namespace holdfast::shards {
namespace {

using kube::Json;

constexpr int kWriteAttempts = 5;
constexpr char kList[] = "redis";
constexpr std::array kStates = {State::kForming, State::kServing, State::kFailingOver, State::kShardLost,
                                State::kSilent};

class Looker {
 public:
  Looker(std::string backend, const Facts& facts) : facts_(facts), owners_(facts.reports) {
    for (const Report& report : facts.reports) answered_[report.self().id] = &report;
    view_.backend = std::move(backend);
    view_.replicas = facts.shards * facts.replicas;
  }

  View Make() {
    for (const Report& report : facts_.reports) AddMember(report);
    for (const auto& [id, ranges] : owners_.slots()) AddShard(id, ranges);
    std::vector<SlotRange> nobodys;
    for (int slot = 0; slot < redis::kSlots; ++slot) {
      if (!owners_.Of(slot).empty()) continue;
      if (!nobodys.empty() && nobodys.back().last == slot - 1) {
        nobodys.back().last = slot;
      } else {
        nobodys.push_back({slot, slot});
      }
    }
    if (!nobodys.empty()) Add(nobodys, {.slots = Spell(nobodys)});
    for (auto& [first, shard] : shards_) view_.shards.push_back(std::move(shard));
    view_.state = Judge();
    return std::move(view_);
  }

 private:
  std::string PodOf(const Report& report) const { return resources::PodName(facts_.set, report.ordinal); }

  void AddMember(const Report& report) {
    const Node& self = report.self();
    const bool follows = !self.master_id.empty();
    const bool leaves = Leaves(facts_, report);
    const char* role = follows                ? (report.in_step ? "Replica" : "Behind")
                       : owners_.Has(self.id) ? "Master"
                       : leaves               ? "Leaving"
                                              : "New";
    view_.in_step += follows && report.in_step && !leaves ? 1 : 0;
    view_.members.push_back({PodOf(report), role});
  }

  // Most of those that answer reach it; one that the operator does not reach serves all the same.
  bool Serves(const std::string& id) const {
    const auto itself = answered_.find(id);
    if (itself != answered_.end() && !itself->second->self().master) return false;
    const auto reach = std::count_if(facts_.reports.begin(), facts_.reports.end(), [&](const Report& report) {
      const Node* known = report.Find(id);
      return known != nullptr && !known->failed && (known->myself || (known->connected && !known->suspected));
    });
    return static_cast<std::size_t>(reach) * 2 > facts_.reports.size();
  }

  void AddShard(const std::string& id, const std::vector<SlotRange>& ranges) {
    View::Shard shard{.slots = Spell(ranges), .serves = Serves(id)};
    for (const Report& report : facts_.reports) {
      const Node& self = report.self();
      if (self.id == id) shard.master = PodOf(report);
      const Node* known = report.Find(id);
      if (shard.master.empty() && known != nullptr) shard.master = known->pod();
      if (self.master_id != id) continue;
      shard.replica_answers = true;
      shard.in_step += report.in_step ? 1 : 0;
    }
    Add(ranges, std::move(shard));
  }

  void Add(const std::vector<SlotRange>& ranges, View::Shard shard) {
    for (const SlotRange& range : ranges) view_.covered += shard.serves ? range.last - range.first + 1 : 0;
    shards_[ranges.front().first] = std::move(shard);
  }

  // Of servers that are only being added there may be few.
  std::size_t Members() const {
    std::size_t members = facts_.begun ? 0 : static_cast<std::size_t>(facts_.servers());
    for (const Report& report : facts_.reports) members = std::max(members, report.nodes.size());
    return members;
  }

  State Judge() const {
    if (facts_.reports.size() * 2 <= Members()) return State::kSilent;
    if (!facts_.begun) return State::kForming;
    if (view_.covered == redis::kSlots) return State::kServing;
    const bool hopeless = std::any_of(view_.shards.begin(), view_.shards.end(),
                                      [](const View::Shard& shard) { return !shard.serves && !shard.replica_answers; });
    // Its master may be about to start again.
    return hopeless && view_.members.size() >= static_cast<std::size_t>(facts_.servers()) ? State::kShardLost
                                                                                          : State::kFailingOver;
  }

  const Facts& facts_;
  const Owners owners_;
  std::map<std::string, const Report*> answered_;  // by id
  std::map<int, View::Shard> shards_;              // by the first slot
  View view_;
};

Json ToJson(const View& view) {
  Json members = Json::array();
  for (const View::Member& member : view.members) members.push_back({{"pod", member.pod}, {"role", member.role}});
  Json shards = Json::array();
  for (const View::Shard& shard : view.shards) {
    Json entry = {{"slots", shard.slots},
                  {"serves", shard.serves},
                  {"replicasInStep", shard.in_step},
                  {"replicaAnswers", shard.replica_answers}};
    if (!shard.master.empty()) entry["master"] = shard.master;
    shards.push_back(std::move(entry));
  }
  Json entry = {{"backend", view.backend},        {"state", NameOf(view.state)},  {"replicas", view.replicas},
                {"replicasInStep", view.in_step}, {"slotsCovered", view.covered}, {"shards", std::move(shards)},
                {"members", std::move(members)}};
  if (view.to_move > 0) entry["slotsToMove"] = view.to_move;
  if (std::string remedy = view.Remedy(); !remedy.empty()) entry["message"] = std::move(remedy);
  return entry;
}

// The list with the view, or without any of the backend; always in the same order, whoever was written last.
Json WithView(const Json& status, const std::string& backend, const View* view) {
  Json list = Json::array();
  for (const Json& each : status.value(kList, Json::array())) {
    if (kube::StringAt(each, "/backend") != backend) list.push_back(each);
  }
  if (view != nullptr) list.push_back(ToJson(*view));
  std::sort(list.begin(), list.end(),
            [](const Json& a, const Json& b) { return kube::StringAt(a, "/backend") < kube::StringAt(b, "/backend"); });
  return list;
}

Result<Json> Write(kube::Client& client, Json object, const std::string& backend, const View* view, Deadline deadline) {
  const auto status_of = [&](const Json& present) {
    Json status = present.value("status", Json::object());
    status[kList] = WithView(status, backend, view);
    if (status[kList].empty()) status.erase(kList);
    return status;
  };
  return kube::UpdateStatus(client, kube::kinds::kStorageCluster, std::move(object),
                            {"status.redis, the shards", kWriteAttempts, status_of}, deadline);
}

}  // namespace

const char* NameOf(State state) {
  switch (state) {
    case State::kForming:
      return "Forming";
    case State::kServing:
      return "Serving";
    case State::kFailingOver:
      return "FailingOver";
    case State::kShardLost:
      return "ShardLost";
    case State::kSilent:
      break;
  }
  return "ServersSilent";
}

std::string View::Remedy() const {
  if (state == State::kSilent) return "most servers do not answer: see their pods and their logs";
  if (state != State::kShardLost) return waits;
  std::string text;
  for (const Shard& shard : shards) {
    if (shard.serves) continue;
    text += fmt::format("{}slots {} are not served: ", text.empty() ? "" : "; ", shard.slots);
    if (shard.master.empty()) {
      text += "no server says that it has them";
    } else if (shard.replica_answers) {
      text += fmt::format(
          "their master {} is gone and its replica does not take over by itself, because it was not in "
          "step: bring the master's volume back, or promote the replica with what it has",
          shard.master);
    } else {
      text += fmt::format(
          "their master {} is gone with all its replicas: bring one of their volumes back, or give the "
          "slots up with their data",
          shard.master);
    }
  }
  return text + "; see docs/runbooks.md";
}

View Look(std::string backend, const Facts& facts) {
  return Looker(std::move(backend), facts).Make();
}

View AsLost(View view) {
  if (view.state == State::kFailingOver) view.state = State::kShardLost;
  return view;
}

std::optional<View> ViewOf(const Json& cluster_object, std::string_view backend) {
  static const Json::json_pointer pointer("/status/redis");
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return std::nullopt;
  for (const Json& each : cluster_object.at(pointer)) {
    if (kube::StringAt(each, "/backend") != backend || !each.contains("shards")) continue;
    View view{.backend = std::string(backend)};
    for (const State state : kStates) {
      if (kube::StringAt(each, "/state") == NameOf(state)) view.state = state;
    }
    view.replicas = each.value("replicas", std::int64_t{0});
    view.in_step = each.value("replicasInStep", std::int64_t{0});
    view.covered = each.value("slotsCovered", std::int64_t{0});
    view.to_move = each.value("slotsToMove", std::int64_t{0});
    if (view.Remedy().empty()) view.waits = kube::StringAt(each, "/message");
    for (const Json& shard : each.at("shards")) {
      view.shards.push_back({kube::StringAt(shard, "/slots"), kube::StringAt(shard, "/master"),
                             shard.value("serves", false), shard.value("replicasInStep", std::int64_t{0}),
                             shard.value("replicaAnswers", false)});
    }
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

}  // namespace holdfast::shards
