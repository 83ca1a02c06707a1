#include "tests/faults/fault_bench.h"

#include <algorithm>
#include <cstdlib>

#include "operator/resources/names.h"
#include "tests/faults/faulty_client.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::faults {
namespace {

using storagecluster::ClusterBench;
using storagecluster::Crash;
namespace kinds = kube::kinds;

constexpr char kNamespace[] = "prod";
constexpr char kName[] = "demo";
constexpr int kMaximumRounds = 60;
constexpr int kStaleLooks = 3;
constexpr int kLooksAtRest = 5;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

class Run {
 public:
  Run(const FaultPlan& plan, Bug bug)
      : plan_(plan), bench_(ClusterBench::Transport::kInProcess, [&](std::shared_ptr<kube::Client> server) {
          faulty_ = std::make_shared<FaultyClient>(std::move(server), plan);
          return std::make_shared<BuggyClient>(faulty_, bug, kCanary);
        }) {
    faulty_->secrets = {kCanary};
    // Longer than a round, so that there is a time in which a migration is under way.
    bench_.jobs_take = 1;
    // What the other operator comes to is its own affair: it may meet the same conflict.
    faulty_->other_leader = [this] { static_cast<void>(bench_.ReconcileAsAnother(kName, bench_.user())); };
    const Json secret = {{"apiVersion", "v1"},
                         {"kind", "Secret"},
                         {"metadata", {{"name", "demo-password"}, {"namespace", kNamespace}}},
                         {"stringData", {{"password", kCanary}}}};
    if (!bench_.user().Create(kinds::kSecret, secret, Soon()).ok()) std::abort();
  }

  RunRecord Live(const Story& story) {
    std::vector<ClusterBench::View> views;
    for (std::size_t step = 0; step < story.steps.size(); ++step) {
      Take(story.steps[step]);
      if (plan_.hidden && step >= plan_.hidden->first && step < plan_.hidden->last) {
        PlayTheRest();
        record_.objects.emplace_back();
        views.emplace_back();
        continue;
      }
      if (plan_.replay && step == plan_.replay->shown_at) LookAt(views.at(plan_.replay->remembered_after));
      if (!ComeToRest()) record_.restless_steps.push_back(step);
      record_.objects.push_back(bench_.Objects());
      views.push_back(bench_.RememberCopies());
    }
    record_.writes = faulty_->writes();
    for (int look = 0; look < kLooksAtRest; ++look) Reconcile();
    record_.writes_at_rest = faulty_->writes() - record_.writes;
    record_.violations = faulty_->violations();
    for (const storagecluster::RecordedEvent& event : bench_.events()) {
      if (event.message.find(kCanary) != std::string::npos) record_.violations.emplace_back("I8: a secret in an event");
    }
    return std::move(record_);
  }

 private:
  void Take(const Step& step) {
    switch (step.action) {
      case Step::Action::kCreate:
        // Of a cluster that was not let go the step before; the record tells.
        if (bench_.Cluster(kName).is_null()) bench_.CreateCluster(kName, step.body);
        return;
      case Step::Action::kPatchSpec:
        bench_.PatchSpec(kName, step.body);
        return;
      case Step::Action::kDelete:
        bench_.DeleteCluster(kName);
        return;
      case Step::Action::kUpgrade:
        bench_.service_image = step.name;
        bench_.RestartOperator();
        return;
      case Step::Action::kFillDisk:
        bench_.disk_used = step.bytes;
        return;
      case Step::Action::kDeleteChild: {
        const Json child = bench_.Get(step.kind, step.name);
        if (child.is_null()) return;
        static_cast<void>(bench_.user().Delete(step.kind, kube::KeyOf(child),
                                               {kube::UidOf(child), kube::ResourceVersionOf(child)}, Soon()));
        return;
      }
    }
  }

  // Whether the reconcile went through; a killed operator is followed by the next.
  bool Reconcile() {
    faulty_->BeginReconcile();
    try {
      return bench_.Reconcile(kName).ok();
    } catch (const Crash&) {
      ++record_.crashes;
      faulty_->Restart();
      bench_.RestartOperator();
      return false;
    }
  }

  void LookAt(const ClusterBench::View& old) {
    for (int look = 0; look < kStaleLooks; ++look) {
      bench_.ShowCopies(old);
      Reconcile();
      PlayTheRest();
      TakeNote();
    }
    bench_.ThawCopies();
  }

  // Two rounds in a row that write nothing.
  bool ComeToRest() {
    int quiet = 0;
    for (int round = 0; round < kMaximumRounds && quiet < 2; ++round) {
      const std::uint64_t before = bench_.revision();
      const bool done = Reconcile();
      PlayTheRest();
      TakeNote();
      quiet = done && bench_.revision() == before ? quiet + 1 : 0;
    }
    return quiet == 2;
  }

  void PlayTheRest() {
    bench_.PlayStatefulSets();
    bench_.PlayDatabases();
  }

  void TakeNote() {
    NoteMigrations();
    for (const kube::ResourceKind& kind :
         {kinds::kPersistentVolumeClaim, kinds::kStatefulSet, kinds::kPod, kinds::kSecret}) {
      const auto list = bench_.user().List(kind, kNamespace, {}, Soon());
      if (!list.ok()) std::abort();
      for (const Json& object : list->items) record_.uids[kind.kind].insert(kube::UidOf(object));
    }
  }

  void NoteMigrations() {
    const auto jobs = bench_.user().List(kinds::kJob, kNamespace, {}, Soon());
    if (!jobs.ok()) std::abort();
    for (const Json& job : jobs->items) {
      if (!migrated_.insert(kube::UidOf(job)).second) continue;
      record_.migrations.push_back(kube::LabelOf(job, resources::kBackendLabel) + " by " + ImageOf(job));
    }
  }

  const FaultPlan& plan_;
  std::set<std::string> migrated_;  // uids of Jobs
  std::shared_ptr<FaultyClient> faulty_;
  ClusterBench bench_;
  RunRecord record_;
};

}  // namespace

RunRecord Live(const Story& story, const FaultPlan& plan, Bug bug) {
  return Run(plan, bug).Live(story);
}

}  // namespace holdfast::faults
