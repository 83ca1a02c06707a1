#include "service/replication_metrics.h"

#include <optional>
#include <vector>

#include "service/followed_counter.h"

namespace holdfast::service {
namespace {

struct OfReplica {
  metrics::Gauge& up;
  metrics::Gauge& waiting;
};

// Of the comparison in the background.
class OfComparison {
 public:
  OfComparison(const std::string& store, metrics::Registry& registry)
      : undecided_(registry.GetGauge(
            "holdfast_replication_undecided_keys",
            "Keys of the last comparison that differ, and nothing says which replica is right.", {{"store", store}})),
        complete_(Rounds(store, "complete", registry)),
        unfinished_(Rounds(store, "unfinished", registry)),
        keys_(registry.GetCounter("holdfast_replication_compared_keys_total",
                                  "Keys that were compared in the background.", {{"store", store}})),
        mended_(registry.GetCounter("holdfast_replication_mended_keys_total",
                                    "Keys that a comparison in the background mended.", {{"store", store}})) {}

  void Show(const storage::ReplicaComparisonStatus& status) {
    undecided_.Set(static_cast<double>(status.undecided));
    complete_.Show(status.rounds);
    unfinished_.Show(status.unfinished);
    keys_.Show(status.keys);
    mended_.Show(status.mended);
  }

 private:
  static FollowedCounter Rounds(const std::string& store, const char* result, metrics::Registry& registry) {
    return FollowedCounter(registry.GetCounter("holdfast_replication_compare_rounds_total",
                                               "Comparisons of all replicas in the background that ended.",
                                               {{"store", store}, {"result", result}}));
  }

  metrics::Gauge& undecided_;
  FollowedCounter complete_;
  FollowedCounter unfinished_;
  FollowedCounter keys_;
  FollowedCounter mended_;
};

}  // namespace

void ExportReplication(const std::string& store, std::shared_ptr<const storage::ReplicationView> view,
                       metrics::Registry& registry) {
  const metrics::Labels labels{{"store", store}};
  const auto counter = [&](const char* name, const char* help) {
    return FollowedCounter(registry.GetCounter(name, help, labels));
  };
  std::vector<OfReplica> replicas;
  for (const storage::ReplicaStatus& replica : view->status().replicas) {
    const metrics::Labels own{{"store", store}, {"backend", replica.name}};
    replicas.push_back({registry.GetGauge("holdfast_replication_replica_up", "1 while the replica is up, else 0.", own),
                        registry.GetGauge("holdfast_replication_waiting_batches",
                                          "Batches of writes that wait for the replica.", own)});
  }
  metrics::Gauge& up = registry.GetGauge("holdfast_replication_up", "Replicas of the store that are up.", labels);
  metrics::Gauge& in_doubt = registry.GetGauge("holdfast_replication_in_doubt_batches",
                                               "Batches of writes that fewer replicas have than the quorum.", labels);
  metrics::Gauge& term = registry.GetGauge("holdfast_replication_term",
                                           "Rises with every start; 0 while too few replicas are there.", labels);
  std::optional<OfComparison> comparison;
  if (view->status().compare.enabled) comparison.emplace(store, registry);
  registry.OnCollect(
      [view = std::move(view), comparison = std::move(comparison), replicas = std::move(replicas), &up, &in_doubt,
       &term,
       comparisons = counter("holdfast_replication_comparisons_total", "Comparisons of a replica with the leader."),
       copied = counter("holdfast_replication_copied_rows_total", "Rows that comparisons wrote or removed."),
       divergences = counter("holdfast_replication_divergences_total", "Keys of which replicas had not the same."),
       conflicts =
           counter("holdfast_replication_conflicts_total", "Writes that one replica had and the store has not."),
       leaders = counter("holdfast_replication_leader_changes_total",
                         "How often another replica answered from then on.")]() mutable {
        const storage::ReplicationStatus status = view->status();
        double are_up = 0;
        for (std::size_t i = 0; i < replicas.size(); ++i) {
          const bool is_up = status.replicas[i].standing == "up";
          are_up += is_up ? 1 : 0;
          replicas[i].up.Set(is_up ? 1 : 0);
          replicas[i].waiting.Set(static_cast<double>(status.replicas[i].waiting_batches));
        }
        up.Set(are_up);
        in_doubt.Set(static_cast<double>(status.in_doubt));
        term.Set(static_cast<double>(status.term));
        comparisons.Show(status.comparisons);
        copied.Show(status.copied);
        divergences.Show(status.divergences);
        conflicts.Show(status.conflicts);
        leaders.Show(status.leader_changes);
        if (comparison) comparison->Show(status.compare);
      });
}

}  // namespace holdfast::service
