// A whole list as a stream of lines (application/x-ndjson): each line is an item as in a page, or {"prefix":"a/"}. Read
// page by page on the store's pool as fast as the client takes it: at most one page waits.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "service/api/exchange.h"
#include "service/api/key_walk.h"
#include "service/api/list_query.h"
#include "service/http/http_message.h"

namespace holdfast::api {

class ListStream final : public BodyStream, public std::enable_shared_from_this<ListStream> {
 public:
  // The exchange's context outlives the stream, the exchange need not. Every scan gets `step_timeout`.
  ListStream(const Exchange& exchange, ListQuery list, std::optional<ListPosition> from,
             std::chrono::microseconds step_timeout);

  // The first page, before the answer begins: what is wrong with the store can still be said with a status.
  Status ReadFirst(Deadline deadline);

  void Start(std::function<void()> wake) override;
  State Pull(std::string* out, std::size_t most) override;
  bool endless() const override { return false; }

 private:
  class Lines;
  // Scans are sized so that a page holds about so many bytes of lines.
  static constexpr std::size_t kPageBytes = 256u << 10;
  static constexpr std::size_t kFirstEntries = 100;
  static constexpr std::size_t kMostEntries = 2'000;
  static constexpr std::size_t kMostExamined = 20'000;  // where the backend evaluates the filter

  // Fills `lines` with the next page, which may be empty.
  Status ReadPage(Deadline deadline, std::string* lines);
  // On the pool.
  void ReadAhead();

  const storage::Store& store_;
  const std::shared_ptr<const storage::TenantView> tenant_;
  const ListQuery list_;
  const std::chrono::microseconds step_timeout_;

  // Used by one page's reader at a time, and by nobody else.
  KeyWalk walk_;
  std::size_t entries_ = kFirstEntries;  // of the next scan
  std::size_t taken_ = 0;                // items and prefixes, against list_.limit

  std::mutex mutex_;
  std::function<void()> wake_;  // guarded by mutex_
  std::string ready_;           // guarded by mutex_; lines that were not pulled yet
  std::size_t pulled_ = 0;      // guarded by mutex_; how much of ready_ was
  bool reading_ = false;        // guarded by mutex_; ReadAhead is queued or runs
  bool end_ = false;            // guarded by mutex_; nothing comes behind ready_
  bool failed_ = false;         // guarded by mutex_
};

}  // namespace holdfast::api
