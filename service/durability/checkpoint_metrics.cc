#include "service/durability/checkpoint_metrics.h"

#include <vector>

namespace holdfast::durability {
namespace {

const std::vector<double>& CheckpointBuckets() {
  static const std::vector<double> kBuckets{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800};
  return kBuckets;
}

}  // namespace

CheckpointMetrics::CheckpointMetrics(const std::string& store, metrics::Registry& registry)
    : taken(registry.GetCounter("holdfast_checkpoint_taken_total", "Checkpoints that were taken.",
                                {{"store", store}, {"result", "ok"}})),
      failed(registry.GetCounter("holdfast_checkpoint_taken_total", "Checkpoints that were taken.",
                                 {{"store", store}, {"result", "error"}})),
      restored(registry.GetCounter("holdfast_checkpoint_restores_total", "Checkpoints that were restored.",
                                   {{"store", store}, {"result", "ok"}})),
      not_restored(registry.GetCounter("holdfast_checkpoint_restores_total", "Checkpoints that were restored.",
                                       {{"store", store}, {"result", "error"}})),
      damaged(registry.GetCounter("holdfast_checkpoint_damaged_total", "Checkpoints that were read and found damaged.",
                                  {{"store", store}})),
      duration(registry.GetHistogram("holdfast_checkpoint_duration_seconds",
                                     "Time to write a checkpoint, and to read it again where that is asked for.",
                                     {{"store", store}}, CheckpointBuckets())),
      stored(registry.GetGauge("holdfast_checkpoint_stored", "Checkpoints of the store that are kept.",
                               {{"store", store}})),
      newest(registry.GetGauge("holdfast_checkpoint_last_success_timestamp_seconds",
                               "When the newest sound checkpoint was taken, since 1970; 0: there is none.",
                               {{"store", store}})),
      entries(registry.GetGauge("holdfast_checkpoint_last_entries", "Entries of the newest sound checkpoint.",
                                {{"store", store}})),
      bytes(registry.GetGauge("holdfast_checkpoint_last_bytes", "Size of the newest sound checkpoint's file.",
                              {{"store", store}})),
      restoring(registry.GetGauge("holdfast_checkpoint_restoring",
                                  "1 while a restore is under way or has not been finished, else 0.",
                                  {{"store", store}})) {}

}  // namespace holdfast::durability
