#include "service/transfer/page_walk.h"

#include <algorithm>
#include <utility>

namespace holdfast::transfer {
namespace {

constexpr std::size_t kFirstEntries = 100;

std::size_t BytesOf(const storage::ScanPage& page) {
  std::size_t bytes = 0;
  for (const storage::KeyedEntry& item : page.entries) bytes += item.key.size() + item.value_bytes;
  return bytes;
}

}  // namespace

PageWalk::PageWalk(storage::Backend& backend, storage::KeyRange range, const std::string& after,
                   const BackoffPolicy& pauses)
    : backend_(backend), pauses_(pauses) {
  request_.range = std::move(range);
  request_.limit = kFirstEntries;
  if (!after.empty()) request_.after = after;
}

Result<storage::ScanPage> PageWalk::Next() {
  HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, WithPatience(pauses_, [this] {
                              return backend_.Scan(request_, Deadline::After(kPatience));
                            }));
  complete_ = page.complete;
  if (!page.entries.empty()) {
    request_.after = page.entries.back().key;
    const std::size_t each = std::max<std::size_t>(1, BytesOf(page) / page.entries.size());
    request_.limit = std::clamp(kPageBytes / each, std::size_t{1}, std::min(request_.limit * 2, kMostEntries));
  }
  return page;
}

void PageWalk::BackTo(const std::string& key) {
  request_.after.reset();
  if (!key.empty()) request_.after = key;
  complete_ = false;
}

}  // namespace holdfast::transfer
