// A whole list as a stream of lines (application/x-ndjson): each line is an item as in a page, or {"prefix":"a/"}.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "service/api/exchange.h"
#include "service/api/key_walk.h"
#include "service/api/list_query.h"
#include "service/api/paged_stream.h"

namespace holdfast::api {

class ListStream final : public PagedStream {
 public:
  // The exchange's context outlives the stream, the exchange need not. Every scan gets `step_timeout`, the first what
  // the request has left.
  ListStream(const Exchange& exchange, ListQuery list, std::optional<ListPosition> from,
             std::chrono::microseconds step_timeout);

 private:
  class Lines;
  // Scans are sized so that a page holds about so many bytes of lines.
  static constexpr std::size_t kPageBytes = 256u << 10;
  static constexpr std::size_t kFirstEntries = 100;
  static constexpr std::size_t kMostEntries = 2'000;
  static constexpr std::size_t kMostExamined = 20'000;  // where the backend evaluates the filter

  Result<bool> ReadPage(std::string* lines) override;

  const std::shared_ptr<const storage::TenantView> tenant_;
  const ListQuery list_;
  const std::chrono::microseconds step_timeout_;

  // Used by one page's reader at a time, and by nobody else.
  std::optional<Deadline> first_deadline_;  // until the first scan
  KeyWalk walk_;
  std::size_t entries_ = kFirstEntries;  // of the next scan
  std::size_t taken_ = 0;                // items and prefixes, against list_.limit
};

}  // namespace holdfast::api
