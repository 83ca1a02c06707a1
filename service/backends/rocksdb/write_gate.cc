#include "service/backends/rocksdb/write_gate.h"

#include <fmt/format.h>

#include "base/log/log.h"

namespace holdfast::storage {

namespace {

constexpr char kSyncRow[] = "sync";

}  // namespace

Status WriteGate::Write(rocksdb::DB& db, rocksdb::WriteBatch& batch, bool sync) {
  if (std::optional<Error> shut = Shut()) return *std::move(shut);
  const std::uint64_t appends = counts_->appends.load();
  const std::uint64_t failed_appends = counts_->failed_appends.load();
  const std::uint64_t failed_syncs = counts_->failed_syncs.load();
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = db.Write(options, &batch);
  if (status.ok()) {
    if (!sync) unsynced_.store(true, std::memory_order_release);
    return {};
  }
  return Judge(status, appends, failed_appends, failed_syncs);
}

Status WriteGate::Judge(const rocksdb::Status& status, std::uint64_t appends, std::uint64_t failed_appends,
                        std::uint64_t failed_syncs) {
  const std::string text = status.ToString();
  if (status.IsShutdownInProgress()) return Error(ErrorCode::kUnavailable, "the rocksdb backend is closing");
  // Others may write at the same moment and move the counts; that only makes the answer more careful.
  const bool reached_log = counts_->appends.load() != appends;
  const bool append_failed = counts_->failed_appends.load() != failed_appends;
  const bool sync_failed = counts_->failed_syncs.load() != failed_syncs;
  if (status.IsNoSpace() && !sync_failed && (!reached_log || append_failed)) {
    Close(State::kFull, text);
    return *Shut();
  }
  Close(State::kBroken, text);
  if (!reached_log) return *Shut();
  return Error(ErrorCode::kOutcomeUnknown,
               fmt::format("writing to the log failed, the write may be there after a restart: {}", text));
}

Status WriteGate::SyncLog(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  if (!unsynced_.exchange(false, std::memory_order_acq_rel)) return {};
  Status synced = SyncAll(db, family);
  if (!synced.ok()) unsynced_.store(true, std::memory_order_release);
  return synced;
}

Status WriteGate::SyncAll(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::WriteBatch batch;
  batch.Put(family, kSyncRow, rocksdb::Slice());
  return Write(db, batch, /*sync=*/true);
}

void WriteGate::TryResume(rocksdb::DB& db) {
  if (state_.load(std::memory_order_acquire) != State::kFull) return;
  const rocksdb::Status status = db.Resume();
  if (status.ok()) {
    State full = State::kFull;  // it may have broken meanwhile
    if (state_.compare_exchange_strong(full, State::kOpen)) log::Info("rocksdb has space again, writes resumed");
  } else if (!status.IsNoSpace() && !status.IsBusy()) {
    Close(State::kBroken, status.ToString());
  }
}

Status WriteGate::Ingest(rocksdb::DB& db, const std::vector<rocksdb::IngestExternalFileArg>& files) {
  if (std::optional<Error> shut = Shut()) return *std::move(shut);
  const rocksdb::Status status = db.IngestExternalFiles(files);
  if (status.ok()) return {};
  const ErrorCode code = Shut() ? ErrorCode::kOutcomeUnknown : ErrorCode::kUnavailable;
  return Error(code, fmt::format("taking in table files failed: {}", status.ToString()));
}

void WriteGate::OnBackgroundError(const rocksdb::Status& status) {
  Close(status.IsNoSpace() ? State::kFull : State::kBroken, status.ToString());
}

void WriteGate::Close(State state, const std::string& reason) {
  std::lock_guard lock(mutex_);
  const State before = state_.load(std::memory_order_relaxed);
  if (before == State::kBroken || before == state) return;
  reason_ = reason;
  state_.store(state, std::memory_order_release);
  log::Error("rocksdb refuses writes", {{"reason", reason}, {"disk_full", state == State::kFull}});
}

std::optional<Error> WriteGate::Shut() const {
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::kOpen) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (state == State::kFull) {
    return Error(
        ErrorCode::kResourceExhausted,
        fmt::format("the disk is full, nothing was written: free space, writes resume by themselves: {}", reason_));
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("the disk failed, nothing was written: check it and restart the service: {}", reason_));
}

namespace {

class ErrorListener : public rocksdb::EventListener {
 public:
  explicit ErrorListener(std::shared_ptr<WriteGate> gate) : gate_(std::move(gate)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    // A failed write is judged by the one who wrote, who knows how far it came.
    if (reason == rocksdb::BackgroundErrorReason::kWriteCallback) return;
    gate_->OnBackgroundError(*status);
  }

 private:
  const std::shared_ptr<WriteGate> gate_;
};

}  // namespace

std::shared_ptr<rocksdb::EventListener> ListenForErrors(std::shared_ptr<WriteGate> gate) {
  return std::make_shared<ErrorListener>(std::move(gate));
}

}  // namespace holdfast::storage
