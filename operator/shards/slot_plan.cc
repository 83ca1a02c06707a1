#include "operator/shards/slot_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/redis/slot.h"
#include "operator/resources/names.h"
#include "operator/shards/scale_in.h"

namespace holdfast::shards {
namespace {

class Planner {
 public:
  Planner(const Facts& facts, std::size_t at_once) : facts_(facts), owners_(facts.reports), at_once_(at_once) {
    for (const Report& report : facts.reports) answered_[report.self().id] = &report;
  }

  SlotPlan Make() {
    if (!facts_.begun) return {};
    CountLeft();
    FindOpen();
    if (plan_.left == 0) return std::move(plan_);
    plan_.waits = WhyNot();
    if (!plan_.waits.empty()) {
      plan_.commands.clear();
      return std::move(plan_);
    }
    for (const auto& [slot, to] : open_) Move(slot, *answered_.at(owners_.Of(slot)), *to);
    if (open_.empty()) MoveToTargets();
    return std::move(plan_);
  }

 private:
  // Of n equal parts, the one that the slot lies in, and where that begins.
  std::int64_t PartOf(int slot) const { return ((slot + 1) * facts_.shards - 1) / redis::kSlots; }
  std::int64_t BeginOf(std::int64_t part) const { return part * redis::kSlots / facts_.shards; }

  // How many slots of each part somebody has.
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> Overlaps() const {
    std::map<std::pair<std::string, std::int64_t>, std::int64_t> overlaps;
    for (const auto& [id, ranges] : owners_.slots()) {
      for (const SlotRange& range : ranges) {
        for (std::int64_t part = PartOf(range.first); part <= PartOf(range.last); ++part) {
          const std::int64_t first = std::max<std::int64_t>(range.first, BeginOf(part));
          overlaps[{id, part}] += std::min<std::int64_t>(range.last + 1, BeginOf(part + 1)) - first;
        }
      }
    }
    return overlaps;
  }

  // The master of each part: by id, or a new one.
  struct Target {
    std::string id = {};
    std::int64_t ordinal = -1;  // of a new one
  };

  // Those who have slots get the part of which they have most; the others are for new masters. As slots move, nobody's
  // part changes: what he has of it grows, and what he has of others shrinks.
  std::vector<Target> Targets() const {
    const auto overlaps = Overlaps();
    std::vector<std::pair<std::pair<std::string, std::int64_t>, std::int64_t>> sorted(overlaps.begin(), overlaps.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first.second < b.first.second;
    });
    std::vector<Target> targets(static_cast<std::size_t>(facts_.shards));
    std::map<std::string, bool> placed;
    for (const auto& [of, count] : sorted) {
      Target& target = targets[static_cast<std::size_t>(of.second)];
      if (placed[of.first] || !target.id.empty() || !Stays(facts_, of.first)) continue;
      target.id = of.first;
      placed[of.first] = true;
    }
    // Of whose parts others have more: any of those that are left.
    auto left = targets.begin();
    for (const auto& [id, slots] : owners_.slots()) {
      if (placed[id] || !Stays(facts_, id)) continue;
      left = std::find_if(left, targets.end(), [](const Target& target) { return target.id.empty(); });
      if (left != targets.end()) left->id = id;
    }
    const std::vector<std::int64_t> fresh = NewMasters(facts_, owners_);
    auto next = fresh.begin();
    for (Target& target : targets) {
      if (target.id.empty() && next != fresh.end()) target.ordinal = *next++;
    }
    return targets;
  }

  void CountLeft() {
    targets_ = Targets();
    plan_.left = owners_.covered();
    for (const auto& [of, count] : Overlaps()) {
      if (targets_[static_cast<std::size_t>(of.second)].id == of.first) plan_.left -= count;
    }
  }

  void Settle(const Report& server, int slot) {
    plan_.commands.push_back({server.ordinal, {"CLUSTER", "SETSLOT", std::to_string(slot), "STABLE"}});
  }

  // Slots between two servers. Where they go is who takes them, whatever is asked for by now: keys may lie there.
  void FindOpen() {
    for (const Report& report : facts_.reports) {
      const Node& self = report.self();
      for (const auto& [slot, from] : self.importing) {
        if (owners_.Of(slot) == self.id) {
          Settle(report, slot);
        } else if (self.master && !owners_.Of(slot).empty()) {
          open_.emplace(slot, &report);
          // The others are counted already.
          if (targets_[static_cast<std::size_t>(PartOf(slot))].id == owners_.Of(slot)) ++plan_.left;
        }
      }
    }
    for (const Report& report : facts_.reports) {
      const Node& self = report.self();
      for (const auto& [slot, to] : self.migrating) {
        if (open_.contains(slot)) continue;
        const Target& target = targets_[static_cast<std::size_t>(PartOf(slot))];
        if (owners_.Of(slot) != self.id || target.id == self.id) Settle(report, slot);
      }
    }
  }

  // It goes, and has nothing that anybody needs.
  bool MayBeAway(const Report& report) const { return Leaves(facts_, report) && !owners_.Has(report.self().id); }

  std::string WhyNot() const {
    const auto answer = std::count_if(facts_.reports.begin(), facts_.reports.end(),
                                      [&](const Report& report) { return !Leaves(facts_, report); });
    if (answer != facts_.servers()) {
      return fmt::format("{} slots wait to be moved: {} of {} servers answer; see their pods", plan_.left, answer,
                         facts_.servers());
    }
    for (const auto& [id, slots] : owners_.slots()) {
      const auto master = answered_.find(id);
      if (master != answered_.end() && master->second->self().master) continue;
      return fmt::format("{} slots wait to be moved: the master of slots {} does not answer", plan_.left, Spell(slots));
    }
    if (owners_.covered() != redis::kSlots) return "slots wait to be moved until each has a master";
    for (const Target& target : targets_) {
      if (!target.id.empty() || target.ordinal >= 0) continue;
      return fmt::format("{} slots wait to be moved: no server is free to become the master of a new shard",
                         plan_.left);
    }
    for (const Report& a : facts_.reports) {
      if (MayBeAway(a)) continue;
      for (const Report& b : facts_.reports) {
        if (MayBeAway(b)) continue;
        const Node* known = a.Find(b.self().id);
        if (known != nullptr && (&a == &b || known->connected)) continue;
        return fmt::format("{} slots wait to be moved: {} is not in touch with {}", plan_.left,
                           resources::PodName(facts_.set, a.ordinal), resources::PodName(facts_.set, b.ordinal));
      }
    }
    return "";
  }

  void Move(int slot, const Report& from, const Report& to) {
    if (planned_ >= at_once_ || from.ordinal == to.ordinal) return;
    auto move = std::find_if(plan_.moves.begin(), plan_.moves.end(),
                             [&](const SlotMove& each) { return each.from == from.ordinal && each.to == to.ordinal; });
    if (move == plan_.moves.end()) {
      plan_.moves.push_back({from.ordinal, to.ordinal, {}});
      move = plan_.moves.end() - 1;
    }
    move->slots.push_back(slot);
    ++planned_;
  }

  bool HasReplicaInStep(const std::string& id) const {
    return std::any_of(facts_.reports.begin(), facts_.reports.end(),
                       [&](const Report& report) { return report.self().master_id == id && report.in_step; });
  }

  const Report* At(std::int64_t ordinal) const {
    const auto found = std::find_if(facts_.reports.begin(), facts_.reports.end(),
                                    [&](const Report& report) { return report.ordinal == ordinal; });
    return found == facts_.reports.end() ? nullptr : &*found;
  }

  void MoveToTargets() {
    std::string without;
    for (std::size_t part = 0; part < targets_.size(); ++part) {
      const auto first = static_cast<int>(BeginOf(static_cast<std::int64_t>(part)));
      const Report* fresh = targets_[part].id.empty() ? At(targets_[part].ordinal) : nullptr;
      if (fresh != nullptr) Move(first, *answered_.at(owners_.Of(first)), *fresh);
    }
    for (int slot = 0; slot < redis::kSlots; ++slot) {
      const Target& target = targets_[static_cast<std::size_t>(PartOf(slot))];
      if (target.id.empty() || owners_.Of(slot) == target.id) continue;
      const Report& to = *answered_.at(target.id);
      if (HasReplicaInStep(target.id)) {
        Move(slot, *answered_.at(owners_.Of(slot)), to);
      } else {
        without = resources::PodName(facts_.set, to.ordinal);
      }
    }
    if (plan_.moves.empty() && !without.empty()) {
      plan_.waits = fmt::format("{} slots wait to be moved: no replica of {} is in step", plan_.left, without);
    }
  }

  const Facts& facts_;
  const Owners owners_;
  const std::size_t at_once_;
  std::map<std::string, const Report*> answered_;  // by id
  std::vector<Target> targets_;                    // of each part
  std::map<int, const Report*> open_;              // slots under way, and to whom
  std::size_t planned_ = 0;
  SlotPlan plan_;
};

}  // namespace

std::vector<std::int64_t> NewMasters(const Facts& facts, const Owners& owners) {
  const auto missing = facts.shards - std::count_if(owners.slots().begin(), owners.slots().end(),
                                                    [&](const auto& owner) { return Stays(facts, owner.first); });
  // As long as a slot has no master its shard may only be away.
  if (!facts.begun || owners.covered() != redis::kSlots || missing <= 0) return {};
  std::map<std::int64_t, bool> belongs;  // of neighbours: one of them has slots or follows somebody
  for (const Report& report : facts.reports) {
    const Node& self = report.self();
    belongs[report.ordinal / (1 + facts.replicas)] |= owners.Has(self.id) || !self.master_id.empty();
  }
  std::vector<std::int64_t> ordinals;
  // A server that came back without its volume is rather its neighbours' replica.
  for (const bool with_neighbours : {false, true}) {
    for (const Report& report : facts.reports) {
      const Node& self = report.self();
      if (static_cast<std::int64_t>(ordinals.size()) == missing) return ordinals;
      const bool first = report.ordinal % (1 + facts.replicas) == 0;
      const bool free = self.master && report.keys == 0 && !owners.Has(self.id) && !Leaves(facts, report);
      if (first && free && belongs[report.ordinal / (1 + facts.replicas)] == with_neighbours) {
        ordinals.push_back(report.ordinal);
      }
    }
  }
  return ordinals;
}

SlotPlan PlanSlots(const Facts& facts, std::size_t at_once) {
  return Planner(facts, at_once).Make();
}

}  // namespace holdfast::shards
