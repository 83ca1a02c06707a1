#include "service/durability/batch_writer.h"

#include <algorithm>
#include <utility>

namespace holdfast::durability {
namespace {

using storage::Operation;
using storage::OperationResult;

// A fence that is higher already, or an answer that is there.
bool IsOutdone(ErrorCode code) {
  return code == ErrorCode::kFenced || code == ErrorCode::kAlreadyExists;
}

}  // namespace

BatchWriter::BatchWriter(storage::Backend& backend, const RestoreOptions& options)
    : backend_(backend),
      options_(options),
      load_operations_(backend.capabilities().load_operations),
      most_operations_(load_operations_ > 0 ? load_operations_
                                            : std::min(kBatchOperations, backend.limits().max_operations)),
      most_bytes_(load_operations_ > 0 ? kLoadBytes : kBatchBytes),
      pool_(options.threads, static_cast<std::size_t>(options.threads)) {}

Operation& BatchWriter::Next() {
  if (filling_.size == filling_.operations.size()) filling_.operations.emplace_back();
  return filling_.operations[filling_.size];
}

Status BatchWriter::Add() {
  const Operation& added = filling_.operations[filling_.size];
  ++filling_.size;
  bytes_ += added.key.size() + added.value.size();
  return filling_.size >= most_operations_ || bytes_ >= most_bytes_ ? Flush() : Status();
}

Status BatchWriter::Flush() {
  bytes_ = 0;
  if (filling_.size == 0) return {};
  const auto batch = std::make_shared<Batch>(std::exchange(filling_, {}));
  std::unique_lock lock(mutex_);
  const auto most = static_cast<std::size_t>(options_.threads);
  done_.wait(lock, [&] { return writing_ <= most; });
  if (!failed_.ok()) return failed_;
  ++writing_;
  if (!spent_.empty()) {
    filling_ = std::move(spent_.back());
    spent_.pop_back();
  }
  lock.unlock();
  // One waits in the queue while the others are written.
  if (!pool_.Add([this, batch] { Write(std::move(*batch)); })) Write(std::move(*batch));
  return {};
}

Status BatchWriter::Finish() {
  HOLDFAST_RETURN_IF_ERROR(Flush());
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return writing_ == 0; });
  return failed_;
}

void BatchWriter::Write(Batch batch) {
  std::span<Operation> left(batch.operations.data(), batch.size);
  Status written = transfer::WithPatience(options_.pauses, [&] { return Execute(&left); });
  batch.size = 0;
  std::lock_guard lock(mutex_);
  if (failed_.ok()) failed_ = std::move(written);
  spent_.push_back(std::move(batch));
  --writing_;
  done_.notify_all();
}

// Leaves what has still to be done.
Status BatchWriter::Execute(std::span<Operation>* operations) {
  std::vector<OperationResult> results(operations->size());
  // In the order of their keys, as they were added.
  backend_.Load(*operations, results, Deadline::After(transfer::kPatience));
  Status first;
  std::size_t left = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].status.ok() || IsOutdone(results[i].status.error().code())) continue;
    // What does not pass is what is told.
    if (first.ok() || transfer::MayPass(first.error())) first = results[i].status;
    std::swap((*operations)[left++], (*operations)[i]);
  }
  *operations = operations->first(left);
  return first;
}

}  // namespace holdfast::durability
