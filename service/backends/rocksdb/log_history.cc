#include "service/backends/rocksdb/log_history.h"

#include <fmt/format.h>
#include <rocksdb/transaction_log.h>

#include <algorithm>
#include <charconv>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/backends/rocksdb/log_stamp.h"
#include "service/backends/rocksdb/rocksdb_error.h"
#include "service/storage/crc32c.h"

namespace holdfast::storage {
namespace {

// Where the next batch begins, and the last one before it that was read; first = 0: none was.
struct Place {
  std::uint64_t next = 0;
  std::uint64_t first = 0;
  std::uint64_t checksum = 0;
};

std::string Show(const Place& place) {
  return fmt::format("rocksdb {} {} {}", place.next, place.first, place.checksum);
}

std::optional<Place> Parse(std::string_view text) {
  constexpr std::string_view kKind = "rocksdb";
  if (!text.starts_with(kKind)) return std::nullopt;
  text.remove_prefix(kKind.size());
  Place place;
  for (std::uint64_t* number : {&place.next, &place.first, &place.checksum}) {
    if (!text.starts_with(' ')) return std::nullopt;
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return text.empty() ? std::optional(place) : std::nullopt;
}

// The changes of a batch, each with the time that stands behind it.
class Collector : public rocksdb::WriteBatch::Handler {
 public:
  // `own`: the family of the database's own rows.
  Collector(std::string_view prefix, std::uint32_t own, ChangePage* page, std::uint64_t* bytes)
      : prefix_(prefix), own_(own), page_(page), bytes_(bytes), timed_(page->changes.size()) {}

  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (family == own_ && key == kLoadedRow) loaded_ = true;
    if (!IsWanted(family, key)) return rocksdb::Status::OK();
    auto decoded = DecodeEntry({key.data(), key.size()}, {value.data(), value.size()});
    if (!decoded.ok()) return rocksdb::Status::Corruption(decoded.error().message());
    Add(key, std::move(decoded->entry));
    *bytes_ += value.size();
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    if (IsWanted(family, key)) Add(key, nullptr);
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice& blob) override {
    const std::optional<Timestamp> time = ParseStamp(blob);
    if (!time) return;
    // A batch may overtake another one between its clock and the log, and a clock may be set back.
    page_->until = std::max(page_->until, *time);
    for (; timed_ < page_->changes.size(); ++timed_) page_->changes[timed_].at = page_->until;
  }
  // False: it was written by a process that did not keep the history.
  bool kept() const { return timed_ == page_->changes.size() && !loaded_; }

 private:
  static constexpr std::uint32_t kEntries = 0;  // the default family

  bool IsWanted(std::uint32_t family, const rocksdb::Slice& key) const {
    return family == kEntries && std::string_view(key.data(), key.size()).starts_with(prefix_);
  }
  void Add(const rocksdb::Slice& key, EntryPtr entry) {
    page_->changes.push_back({key.ToString(), {}, std::move(entry)});
    *bytes_ += key.size();
  }

  const std::string_view prefix_;
  const std::uint32_t own_;
  ChangePage* const page_;
  std::uint64_t* const bytes_;
  std::size_t timed_;
  bool loaded_ = false;
};

enum class Found { kAll, kEnough, kLost, kUntimed };

// Adds what lies from `place` to `last` to the page and moves the place behind it.
Result<Found> ReadLog(const Database& database, std::uint64_t last, std::string_view prefix, std::size_t most_bytes,
                      Deadline deadline, Place* place, ChangePage* page) {
  const std::uint32_t own = database.holdfast->GetID();
  const bool anchored = place->first > 0;
  if (!anchored && place->next > last) return place->next == last + 1 ? Found::kAll : Found::kLost;
  std::unique_ptr<rocksdb::TransactionLogIterator> log;
  const rocksdb::Status sought = database.db->GetUpdatesSince(anchored ? place->first : place->next, &log);
  // What is not there any more is not found, and what is not there yet neither.
  if (sought.IsNotFound() || (sought.ok() && !log->Valid() && log->status().ok())) return Found::kLost;
  if (!sought.ok()) return ReadError(sought);
  bool check = anchored;
  std::uint64_t bytes = 0;
  for (; log->Valid(); log->Next()) {
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while the log was read");
    const rocksdb::BatchResult batch = log->GetBatch();
    const std::string& rows = batch.writeBatchPtr->Data();
    const std::uint64_t checksum = Crc32c(rows);
    if (std::exchange(check, false)) {
      if (batch.sequence != place->first || checksum != place->checksum) return Found::kLost;
      continue;
    }
    if (batch.sequence > last) return Found::kAll;
    if (batch.sequence != place->next) return Found::kLost;
    if (bytes >= most_bytes) return Found::kEnough;
    Collector collector(prefix, own, page, &bytes);
    const rocksdb::Status read = batch.writeBatchPtr->Iterate(&collector);
    if (!read.ok()) return ReadError(read);
    if (!collector.kept()) return Found::kUntimed;
    page->passed += rows.size();
    *place = {batch.sequence + batch.writeBatchPtr->Count(), batch.sequence, checksum};
  }
  // The end may be that of what another thread is just writing.
  if (!log->status().ok() && !log->status().IsTryAgain()) return ReadError(log->status());
  return place->next > last ? Found::kAll : Found::kEnough;
}

}  // namespace

Result<ChangePage> LogHistory::Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                    Deadline deadline) const {
  ChangePage page;
  // In this order: what was acknowledged by then has a number up to `last`, and is on the disk before it is given out.
  const Timestamp now = clock_.Now();
  const std::uint64_t last = database_.db->GetLatestSequenceNumber();
  const auto from_now = [&](std::string gap) {
    ChangePage at_end;
    at_end.position = Show({last + 1, 0, 0});
    at_end.until = now;
    at_end.complete = true;
    at_end.gap = std::move(gap);
    return at_end;
  };
  if (position.empty()) return from_now("");
  std::optional<Place> place = Parse(position);
  if (!place) return from_now("the store was on another kind of backend");
  if (last >= place->next) HOLDFAST_RETURN_IF_ERROR(database_.gate->SyncAll(*database_.db, database_.holdfast));
  HOLDFAST_ASSIGN_OR_RETURN(const Found found, ReadLog(database_, last, prefix, most_bytes, deadline, &*place, &page));
  switch (found) {
    case Found::kLost:
      return from_now(
          "the database's log does not go on where the last segment ended: it was removed before it was shipped, or "
          "the database is another one, or an earlier state of it");
    case Found::kUntimed:
      return from_now("changes were written while change_archive was off");
    case Found::kAll:
      page.complete = true;
      page.until = std::max(page.until, now);
      break;
    case Found::kEnough:
      break;
  }
  page.position = Show(*place);
  return page;
}

}  // namespace holdfast::storage
