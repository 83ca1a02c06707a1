#include "operator/sentinel/scale_decision.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace holdfast::sentinel {
namespace {

class Decision {
 public:
  explicit Decision(const ScaleFacts& facts)
      : facts_(facts),
        staying_(
            std::span(facts.servers).first(std::min(static_cast<std::size_t>(facts.wanted), facts.servers.size()))),
        going_(std::span(facts.servers).subspan(staying_.size())) {}

  ScaleStep Make() const {
    // Of whoever was to go and stays after all.
    for (const ScaleServer& server : staying_) {
      if (IsMarked(server)) return Step(ScaleAct::kUnmark, server, "may be the master again");
    }
    if (facts_.pods > facts_.wanted) return LetServersGo();
    if (facts_.names > facts_.wanted || KnowsStranger()) return Forget();
    return {};
  }

 private:
  ScaleStep Step(ScaleAct act, const std::string& target, const std::string& what) const {
    const auto all = std::max({facts_.pods, facts_.names, facts_.wanted});
    return {act, target, fmt::format("of {} servers {} stay; {}", all, facts_.wanted, what)};
  }
  ScaleStep Step(ScaleAct act, const ScaleServer& server, const std::string& what) const {
    return Step(act, PodOf(server.host), PodOf(server.host) + " " + what);
  }
  ScaleStep Wait(const std::string& what) const { return Step(ScaleAct::kWait, "", "waits until " + what); }

  static bool IsMarked(const ScaleServer& server) {
    return server.report && !server.report->master && server.report->priority == kNeverMaster;
  }
  bool Stays(const std::string& host) const {
    return std::any_of(staying_.begin(), staying_.end(), [&](const ScaleServer& each) { return each.host == host; });
  }
  bool HasStranger(const Report& report) const {
    return !Stays(report.master) || std::any_of(report.replicas.begin(), report.replicas.end(),
                                                [&](const Report::Replica& each) { return !Stays(each.host); });
  }
  bool KnowsStranger() const {
    return std::any_of(facts_.answers.begin(), facts_.answers.end(),
                       [&](const ScaleSentinel& each) { return HasStranger(each.report); });
  }

  // Common to both halves: a majority of sentinels names a master that serves, and all that stay have what it has.
  std::optional<ScaleStep> WaitForServers() const {
    if (facts_.master.empty()) return Wait("a master serves");
    for (const ScaleServer& server : staying_) {
      if (!server.in_step) return Wait(PodOf(server.host) + " is in step");
    }
    return std::nullopt;
  }

  ScaleStep LetServersGo() const {
    if (facts_.enough) return Wait("their pods end");
    if (facts_.master.empty()) return Wait("a master serves");
    for (const ScaleServer& server : going_) {
      if (server.report && !server.report->master && !IsMarked(server)) {
        return Step(ScaleAct::kMark, server, "goes, and becomes the master no more");
      }
    }
    for (const ScaleSentinel& sentinel : facts_.answers) {
      for (const Report::Replica& replica : sentinel.report.replicas) {
        if (Stays(replica.host) || replica.away || replica.priority == kNeverMaster) continue;
        return Wait(fmt::format("{} knows that {} goes", sentinel.pod, PodOf(replica.host)));
      }
    }
    if (auto wait = WaitForServers()) return *std::move(wait);
    if (Stays(facts_.master)) return Step(ScaleAct::kLetGo, "", "the others end");
    const auto master =
        std::find_if(going_.begin(), going_.end(), [&](const ScaleServer& each) { return each.host == facts_.master; });
    if (master == going_.end() || !master->pod || master->leaving) return Wait("the master has handed over");
    const std::string pod = PodOf(master->host);
    return Step(ScaleAct::kHandOver, pod, "the master " + pod + " hands over");
  }

  ScaleStep Forget() const {
    for (const ScaleServer& server : going_) {
      if (server.pod) return Wait(PodOf(server.host) + " has ended");
    }
    if (static_cast<std::int64_t>(facts_.answers.size()) < facts_.sentinels) return Wait("every sentinel answers");
    if (auto wait = WaitForServers()) return *std::move(wait);
    if (auto wait = WaitForSentinels()) return *std::move(wait);
    for (const ScaleSentinel& sentinel : facts_.answers) {
      if (!HasStranger(sentinel.report)) continue;
      return Step(ScaleAct::kForget, sentinel.pod, sentinel.pod + " forgets the others");
    }
    return facts_.enough ? Wait("their names are gone")
                         : Step(ScaleAct::kDropNames, "", "the sentinels know no others");
  }

  // Each sees whoever stays and all other sentinels, as one that was just reset does not yet.
  std::optional<ScaleStep> WaitForSentinels() const {
    for (const ScaleServer& server : staying_) {
      if (server.host != facts_.master || !server.report) continue;
      for (const std::string& follower : server.report->followers) {
        if (!Stays(follower)) return Wait(PodOf(server.host) + " has lost touch with " + PodOf(follower));
      }
    }
    for (const ScaleSentinel& sentinel : facts_.answers) {
      const Report& report = sentinel.report;
      if (report.failover || report.down || report.master != facts_.master) {
        return Wait(sentinel.pod + " finds that " + PodOf(facts_.master) + " serves");
      }
      if (report.others < facts_.sentinels - 1) return Wait(sentinel.pod + " has found the other sentinels");
      for (const ScaleServer& server : staying_) {
        const bool found = server.host == report.master ||
                           std::any_of(report.replicas.begin(), report.replicas.end(),
                                       [&](const auto& each) { return each.host == server.host && !each.away; });
        if (!found) return Wait(sentinel.pod + " has found " + PodOf(server.host));
      }
    }
    return std::nullopt;
  }

  const ScaleFacts& facts_;
  const std::span<const ScaleServer> staying_;
  const std::span<const ScaleServer> going_;
};

}  // namespace

ScaleStep DecideScale(const ScaleFacts& facts) {
  return Decision(facts).Make();
}

}  // namespace holdfast::sentinel
