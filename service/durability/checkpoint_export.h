// A checkpoint of a store as its bytes come into being, whoever keeps them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "service/dual_write/range_hash.h"
#include "service/durability/checkpoint_writer.h"
#include "service/storage/backend.h"
#include "service/storage/store_checkpoints.h"

namespace holdfast::durability {

class CheckpointExport final : public storage::CheckpointStream {
 public:
  // Opens the snapshot; `header` gets its consistency. `backend` outlives it.
  static Result<std::unique_ptr<CheckpointExport>> Open(storage::Backend& backend, CheckpointHeader header,
                                                        const WriterOptions& options, Deadline deadline);

  // Before the first Next: the content is hashed on its way.
  void HashContent() { content_.emplace(); }
  // kDeadlineExceeded when that passes before the end.
  Result<bool> Next(std::string* bytes) override;
  // With what only the backend knows of it.
  const CheckpointHeader& header() const { return header_; }
  // Once Next has said that it is complete.
  const CheckpointSummary& summary() const { return summary_; }
  // Likewise, where HashContent was called: of keys without the store's name, and their entries.
  std::uint64_t content() const { return content_ ? content_->value() : 0; }

 private:
  CheckpointExport(std::unique_ptr<storage::Snapshot> snapshot, CheckpointHeader header, const WriterOptions& options,
                   Deadline deadline);

  const std::unique_ptr<storage::Snapshot> snapshot_;
  const CheckpointHeader header_;
  const std::string prefix_;
  const Deadline deadline_;
  std::string ready_;
  CheckpointSummary summary_;
  std::optional<dual_write::RangeHash> content_;
  CheckpointWriter writer_;
};

}  // namespace holdfast::durability
