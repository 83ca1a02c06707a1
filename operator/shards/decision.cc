#include "operator/shards/decision.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/redis/slot.h"
#include "operator/resources/names.h"
#include "operator/shards/scale_in.h"
#include "operator/shards/slot_plan.h"

namespace holdfast::shards {
namespace {

class Decider {
 public:
  explicit Decider(const Facts& facts) : facts_(facts), owners_(facts.reports) {
    evacuated_ = IsEvacuated(facts, owners_);
    // Before there are data nobody needs those beyond.
    without_ = facts.begun ? WhyNotWithout(facts, owners_).empty() : evacuated_;
    for (const Report& report : facts.reports) {
      if (!without_ || !Leaves(facts, report)) answered_[report.self().id] = &report;
      // Who has nothing, and goes, is not introduced to anybody again.
      if (!evacuated_ || !Leaves(facts, report)) together_.push_back(&report);
    }
    hub_ = Hub();
  }

  std::vector<Command> Make() {
    if (hub_ == nullptr) return {};
    if (!facts_.begun && GiveEpochs()) return std::move(commands_);
    Meet();
    Forget();
    if (!facts_.begun) GiveSlots();
    if (facts_.begun) Replace();
    // What the others are to do depends on it.
    if (facts_.begun && owners_.covered() == redis::kSlots && HandBack()) return std::move(commands_);
    if (facts_.begun || owners_.covered() == redis::kSlots) Follow();
    return std::move(commands_);
  }

 private:
  void Tell(const Report& server, std::vector<std::string> words) {
    commands_.push_back({server.ordinal, std::move(words)});
  }

  // Whom most of those that answer are known to; the others are introduced to it.
  const Report* Hub() const {
    const Report* best = nullptr;
    std::size_t most = 0;
    for (const Report* report : together_) {
      const auto known =
          static_cast<std::size_t>(std::count_if(together_.begin(), together_.end(), [&](const Report* other) {
            return report->Find(other->self().id) != nullptr;
          }));
      if (best != nullptr && known <= most) continue;
      best = report;
      most = known;
    }
    return best;
  }

  // Each begins with an epoch of its own, or masters would first have to settle who is newer. Redis allows it only to
  // who knows nobody.
  bool GiveEpochs() {
    for (const Report* each : together_) {
      const Report& report = *each;
      if (report.nodes.size() != 1 || report.self().epoch != 0 || !report.self().slots.empty()) continue;
      Tell(report, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(report.ordinal + 1)});
    }
    return !commands_.empty();
  }

  static bool Reaches(const Report& a, const Report& b) {
    const Node* known = a.Find(b.self().id);
    return known != nullptr && (known->connected || known->ip == b.ip);
  }

  void Introduce(const Report& a, const Report& b) {
    const bool underway = std::any_of(a.nodes.begin(), a.nodes.end(),
                                      [&](const Node& node) { return node.handshake && node.ip == b.ip; });
    if (underway) return;
    Tell(a, {"CLUSTER", "MEET", b.ip, std::to_string(resources::kRedisPort), std::to_string(resources::kRedisBusPort)});
  }

  void Meet() {
    const std::size_t before = commands_.size();
    for (const Report* each : together_) {
      const Report& report = *each;
      if (&report == hub_ || (Reaches(*hub_, report) && Reaches(report, *hub_))) continue;
      // Slots that none of us knows of are another cluster's.
      const bool stranger = hub_->Find(report.self().id) == nullptr && report.Find(hub_->self().id) == nullptr;
      if (!stranger || report.self().slots.empty()) Introduce(*hub_, report);
    }
    // What these tell each other may be all that is missing.
    if (commands_.size() == before) MeetAgain();
  }

  // Those who know of each other, and neither knows where the other one is.
  void MeetAgain() {
    for (auto a = together_.begin(); a != together_.end(); ++a) {
      for (auto b = a + 1; b != together_.end(); ++b) {
        const bool known = (*a)->Find((*b)->self().id) != nullptr && (*b)->Find((*a)->self().id) != nullptr;
        if (!known || Reaches(**a, **b) || Reaches(**b, **a)) continue;
        Introduce(**a, **b);
        if (commands_.size() >= kMeetingsAtOnce) return;
      }
    }
  }

  bool IsOurs(const std::string& pod) const {
    for (std::int64_t i = 0; i < facts_.servers(); ++i) {
      if (resources::PodName(facts_.set, i) == pod) return true;
    }
    return false;
  }

  // Its pod answers as another, or is none that there should be.
  bool IsGone(const Node& node) const {
    if (node.handshake || answered_.contains(node.id)) return false;
    if (!node.pod().empty() && !IsOurs(node.pod())) return without_;
    return std::any_of(facts_.reports.begin(), facts_.reports.end(), [&](const Report& report) {
      return node.pod().empty() ? node.ip == report.ip : resources::PodName(facts_.set, report.ordinal) == node.pod();
    });
  }

  void Forget() {
    for (const Report& report : facts_.reports) {
      if (without_ && Leaves(facts_, report)) continue;
      for (const Node& node : report.nodes) {
        if (node.myself || !IsGone(node) || (facts_.begun && owners_.Has(node.id))) continue;
        // Redis refuses to forget its master; it gets another first.
        if (report.self().master_id == node.id) continue;
        Tell(report, {"CLUSTER", "FORGET", node.id});
      }
    }
  }

  bool AllKnowEachOther() const {
    for (const Report* a : together_) {
      for (const Report* b : together_) {
        const Node* known = a->Find(b->self().id);
        if (a != b && (known == nullptr || !known->connected)) return false;
      }
      if (a->nodes.size() != together_.size()) return false;
    }
    return static_cast<std::int64_t>(together_.size()) == facts_.servers();
  }

  const Report* At(std::int64_t ordinal) const {
    for (const Report& report : facts_.reports) {
      if (report.ordinal == ordinal) return &report;
    }
    return nullptr;
  }

  std::vector<SlotRange> WithoutOwner(int first, int last) const {
    std::vector<SlotRange> free;
    for (int slot = first; slot <= last; ++slot) {
      if (!owners_.Of(slot).empty()) continue;
      if (!free.empty() && free.back().last == slot - 1) {
        free.back().last = slot;
      } else {
        free.push_back({slot, slot});
      }
    }
    return free;
  }

  void GiveSlots() {
    if (owners_.covered() == redis::kSlots || !AllKnowEachOther()) return;
    for (std::int64_t shard = 0; shard < facts_.shards; ++shard) {
      const Report* server = At(shard * (1 + facts_.replicas));
      if (server == nullptr || !server->self().master) continue;
      const auto first = static_cast<int>(shard * redis::kSlots / facts_.shards);
      const auto last = static_cast<int>((shard + 1) * redis::kSlots / facts_.shards - 1);
      std::vector<std::string> words = {"CLUSTER", "ADDSLOTSRANGE"};
      for (const SlotRange& range : WithoutOwner(first, last)) {
        words.push_back(std::to_string(range.first));
        words.push_back(std::to_string(range.last));
      }
      if (words.size() > 2) Tell(*server, std::move(words));
    }
  }

  const Node* KnownToAnybody(const std::string& id) const {
    for (const Report& report : facts_.reports) {
      if (const Node* known = report.Find(id); known != nullptr) return known;
    }
    return nullptr;
  }

  void Replace() {
    for (const auto& [id, slots] : owners_.slots()) {
      const Node* master = answered_.contains(id) ? nullptr : KnownToAnybody(id);
      if (master == nullptr || !IsGone(*master)) continue;
      const Report* best = nullptr;
      for (const Report& report : facts_.reports) {
        const bool recent = report.cut_off_for >= 0 && report.cut_off_for <= facts_.recent;
        if (report.self().master_id != id || report.copies || !recent) continue;
        if (best == nullptr || report.offset > best->offset) best = &report;
      }
      if (best != nullptr) Tell(*best, {"CLUSTER", "FAILOVER", "FORCE"});
    }
  }

  // Too few of the masters stay: a replica that stays takes over from one that goes.
  bool HandBack() {
    const auto stay = std::count_if(owners_.slots().begin(), owners_.slots().end(),
                                    [&](const auto& owner) { return Stays(facts_, owner.first); });
    if (stay >= facts_.shards) return false;
    for (const Report& report : facts_.reports) {
      const auto master = answered_.find(report.self().master_id);
      if (master == answered_.end() || Leaves(facts_, report) || !Leaves(facts_, *master->second)) continue;
      if (!owners_.Has(master->first) || !report.in_step) continue;
      Tell(report, {"CLUSTER", "FAILOVER"});
      return true;
    }
    return false;
  }

  std::int64_t ShardOf(std::int64_t ordinal) const { return ordinal / (1 + facts_.replicas); }

  // How many that stay follow each master, those that do not answer just now too.
  std::map<std::string, std::int64_t> Followers() const {
    std::map<std::string, std::set<std::string>> followers;
    for (const Node& node : hub_->nodes) {
      const bool stays = node.pod().empty() || IsOurs(node.pod());
      if (!node.master_id.empty() && !answered_.contains(node.id) && stays && !IsGone(node)) {
        followers[node.master_id].insert(node.id);
      }
    }
    for (const auto& [id, report] : answered_) {
      if (!report->self().master_id.empty() && !Leaves(facts_, *report)) {
        followers[report->self().master_id].insert(id);
      }
    }
    std::map<std::string, std::int64_t> counts;
    for (const auto& [master, ids] : followers) counts[master] = static_cast<std::int64_t>(ids.size());
    return counts;
  }

  // Of the masters with slots that have too few replicas: that of the server's own shard, or the one with fewest.
  const Report* MasterFor(const Report& server, const std::map<std::string, std::int64_t>& followers) const {
    const Report* best = nullptr;
    std::int64_t fewest = facts_.replicas;
    for (const auto& [id, slots] : owners_.slots()) {
      const auto master = answered_.find(id);
      if (master == answered_.end() || !master->second->self().master) continue;
      if (Leaves(facts_, *master->second) && !Leaves(facts_, server)) continue;
      const Node* known = server.Find(id);
      if (known == nullptr || !known->connected || known->failed) continue;
      const auto counted = followers.find(id);
      const std::int64_t count = counted == followers.end() ? 0 : counted->second;
      if (count >= facts_.replicas) continue;
      if (ShardOf(master->second->ordinal) == ShardOf(server.ordinal)) return master->second;
      if (best != nullptr && count >= fewest) continue;
      best = master->second;
      fewest = count;
    }
    return best;
  }

  // Its master is elsewhere by now, which it has heard, and has not drawn the consequence.
  bool CopiesFromNobody(const Report& server) const {
    const auto master = answered_.find(server.self().master_id);
    if (server.in_step || server.copies_from.empty() || master == answered_.end()) return false;
    const Node* known = server.Find(master->first);
    return known != nullptr && known->ip == master->second->ip && server.copies_from != known->ip;
  }

  // Of the replicas that stay, of the same master.
  bool HasAnotherInStep(const Report& replica) const {
    return std::any_of(facts_.reports.begin(), facts_.reports.end(), [&](const Report& other) {
      return &other != &replica && other.self().master_id == replica.self().master_id && other.in_step &&
             !Leaves(facts_, other);
    });
  }

  // Who follows another throws away what it has. As long as there are slots that nobody has, that may be theirs.
  bool MayHoldTheOnlyData(const Report& server) const {
    return facts_.begun && owners_.covered() < redis::kSlots && (server.keys > 0 || !server.self().master_id.empty());
  }

  void Follow() {
    std::map<std::string, std::int64_t> followers = Followers();
    std::set<std::int64_t> new_shards;
    for (const std::int64_t master : NewMasters(facts_, owners_)) new_shards.insert(ShardOf(master));
    for (const Report& report : facts_.reports) {
      const Node& self = report.self();
      if (owners_.Has(self.id) || (evacuated_ && Leaves(facts_, report))) continue;
      // They follow the first of them as soon as that has a slot.
      if (self.master_id.empty() && new_shards.contains(ShardOf(report.ordinal))) continue;
      if (!self.master_id.empty() && owners_.Has(self.master_id)) {
        if (CopiesFromNobody(report)) {
          Tell(report, {"CLUSTER", "REPLICATE", self.master_id});
          continue;
        }
        const bool spare = followers[self.master_id] > facts_.replicas && HasAnotherInStep(report);
        if (Leaves(facts_, report) || !spare) continue;
      }
      const Report* master = MayHoldTheOnlyData(report) ? nullptr : MasterFor(report, followers);
      if (master == nullptr) continue;
      const std::string& id = master->self().id;
      if (!self.master_id.empty()) --followers[self.master_id];
      ++followers[id];
      Tell(report, {"CLUSTER", "REPLICATE", id});
    }
  }

  const Facts& facts_;
  const Owners owners_;
  bool evacuated_ = false;                         // whoever has slots stays
  bool without_ = false;                           // those beyond are not needed any more, and are forgotten
  std::map<std::string, const Report*> answered_;  // by id
  std::vector<const Report*> together_;            // those that are to know each other
  const Report* hub_ = nullptr;
  std::vector<Command> commands_;
};

}  // namespace

std::vector<Command> Decide(const Facts& facts) {
  return Decider(facts).Make();
}

}  // namespace holdfast::shards
