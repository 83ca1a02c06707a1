#include "operator/shards/scale_in.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/redis/slot.h"
#include "operator/resources/names.h"

namespace holdfast::shards {
namespace {

const Report* AnswerOf(const Facts& facts, const std::string& id) {
  const auto found = std::find_if(facts.reports.begin(), facts.reports.end(),
                                  [&](const Report& report) { return report.self().id == id; });
  return found == facts.reports.end() ? nullptr : &*found;
}

// The answers of those that stay.
std::vector<const Report*> Staying(const Facts& facts) {
  std::vector<const Report*> staying;
  for (const Report& report : facts.reports) {
    if (!Leaves(facts, report)) staying.push_back(&report);
  }
  return staying;
}

std::string PodOf(const Facts& facts, const Report& report) {
  return resources::PodName(facts.set, report.ordinal);
}

std::string WhoseShardIsNotWhole(const Facts& facts, const Owners& owners, const std::vector<const Report*>& staying) {
  for (const Report* report : staying) {
    const Node& self = report->self();
    if (!self.migrating.empty() || !self.importing.empty()) return PodOf(facts, *report) + " has slots on the way";
    const auto replicas = std::count_if(staying.begin(), staying.end(), [&](const Report* other) {
      return other->self().master_id == self.id && other->in_step;
    });
    if (owners.Has(self.id)) {
      if (replicas == 0 && facts.replicas > 0) return "no replica of " + PodOf(facts, *report) + " is in step";
    } else if (!owners.Has(self.master_id) || !report->in_step) {
      return PodOf(facts, *report) + " is not in step with a master";
    }
  }
  return "";
}

}  // namespace

bool Leaves(const Facts& facts, const Report& report) {
  return report.ordinal >= facts.servers();
}

bool Stays(const Facts& facts, const std::string& id) {
  if (const Report* answer = AnswerOf(facts, id)) return !Leaves(facts, *answer);
  for (const Report& report : facts.reports) {
    const Node* known = report.Find(id);
    if (known == nullptr || known->pod().empty()) continue;
    for (std::int64_t i = 0; i < facts.servers(); ++i) {
      if (resources::PodName(facts.set, i) == known->pod()) return true;
    }
    return false;
  }
  return true;
}

bool IsEvacuated(const Facts& facts, const Owners& owners) {
  return std::all_of(owners.slots().begin(), owners.slots().end(), [&](const auto& owner) {
    const Report* answer = AnswerOf(facts, owner.first);
    return answer != nullptr && !Leaves(facts, *answer);
  });
}

std::string WhyNotWithout(const Facts& facts, const Owners& owners) {
  const std::vector<const Report*> staying = Staying(facts);
  if (static_cast<std::int64_t>(staying.size()) != facts.servers()) {
    return fmt::format("{} of {} servers that stay answer", staying.size(), facts.servers());
  }
  if (owners.covered() != redis::kSlots) return "not every slot has a master";
  if (!IsEvacuated(facts, owners)) return "not all of their slots are moved";
  if (static_cast<std::int64_t>(owners.slots().size()) != facts.shards) {
    return fmt::format("{} masters have slots, and {} shards are asked for", owners.slots().size(), facts.shards);
  }
  for (const Report& report : facts.reports) {
    if (!Leaves(facts, report)) continue;
    const Node& self = report.self();
    if (!self.migrating.empty() || !self.importing.empty()) return PodOf(facts, report) + " has slots on the way";
    if (self.master && report.keys > 0) return PodOf(facts, report) + " has keys, though none of the slots";
  }
  if (std::string who = WhoseShardIsNotWhole(facts, owners, staying); !who.empty()) return who;
  for (const Report* a : staying) {
    for (const Report* b : staying) {
      const Node* known = a->Find(b->self().id);
      if (a == b || (known != nullptr && known->connected)) continue;
      return fmt::format("{} is not in touch with {}", PodOf(facts, *a), PodOf(facts, *b));
    }
  }
  return "";
}

bool AreForgotten(const Facts& facts) {
  const std::vector<const Report*> staying = Staying(facts);
  return std::all_of(staying.begin(), staying.end(), [&](const Report* report) {
    return std::all_of(report->nodes.begin(), report->nodes.end(), [&](const Node& node) {
      const Report* answer = AnswerOf(facts, node.id);
      return answer != nullptr && !Leaves(facts, *answer);
    });
  });
}

}  // namespace holdfast::shards
