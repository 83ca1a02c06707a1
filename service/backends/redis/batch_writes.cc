#include "service/backends/redis/batch_writes.h"

#include <map>
#include <memory>

namespace holdfast::storage::redis_backend {

void BatchWrites::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                          Deadline deadline) {
  std::vector<std::size_t> places;
  std::size_t bytes = 0;
  const auto run = [&] {
    if (!places.empty()) ExecuteSome(operations, results, places, deadline);
    places.clear();
    bytes = 0;
  };
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const Status valid = Validate(operation, options_.limits);
    if (!valid.ok()) {
      results[i] = OperationResult{};
      results[i].status = valid.error();
      continue;
    }
    const std::size_t size = operation.key.size() + operation.value.size() + operation.precondition.value.size();
    if (places.size() == kOperationsPerCall || (bytes + size > kBytesPerCall && !places.empty())) run();
    places.push_back(i);
    bytes += size;
  }
  run();
}

void BatchWrites::ExecuteSome(std::span<const Operation> operations, std::span<OperationResult> results,
                              std::span<const std::size_t> places, Deadline deadline) {
  if (partitions_.size() == 1) return writer_of_(0).Execute(operations, results, places, deadline);
  std::map<std::size_t, std::vector<std::size_t>> by_partition;
  for (const std::size_t i : places) by_partition[partitions_.Of(operations[i].key)].push_back(i);
  if (by_partition.size() == 1) {
    return writer_of_(by_partition.begin()->first).Execute(operations, results, places, deadline);
  }
  struct Sent {
    Writer* writer;
    std::unique_ptr<Writer::Step> step;
  };
  std::vector<Sent> sent;
  redis::Pipeline pipeline;
  // In rising order: two batches that need the turns of several partitions cannot wait for each other.
  for (auto& [partition, some] : by_partition) {
    Writer& writer = writer_of_(partition);
    auto step = std::make_unique<Writer::Step>(options_.compression);
    step->places = std::move(some);
    if (writer.Begin(operations, results, *step, pipeline, deadline).ok()) sent.push_back({&writer, std::move(step)});
  }
  if (sent.empty()) return;
  redis::Replies replies = client_.Run(pipeline, deadline);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i].writer->Settle(operations, results, *sent[i].step, std::move(replies[i]));
  }
  // Only now: whoever is waited for may need a turn that was held.
  for (const Sent& each : sent) each.writer->Complete(operations, results, *each.step, deadline);
}

}  // namespace holdfast::storage::redis_backend
