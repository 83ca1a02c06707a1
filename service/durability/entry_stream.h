// Entries one after the other, from pages of them.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::durability {

// `NextPage`: gives the next entries, and sets its bool when there are no more behind them. Not thread-safe.
template <typename NextPage>
class EntryStream {
 public:
  explicit EntryStream(NextPage next_page) : next_page_(std::move(next_page)) {}

  // nullptr at the end. Valid until Pop.
  Result<storage::KeyedEntry*> Peek() {
    while (next_ == items_.size() && !complete_) {
      HOLDFAST_ASSIGN_OR_RETURN(items_, next_page_(&complete_));
      next_ = 0;
    }
    return next_ == items_.size() ? nullptr : &items_[next_];
  }
  void Pop() { ++next_; }

 private:
  NextPage next_page_;
  std::vector<storage::KeyedEntry> items_;
  std::size_t next_ = 0;
  bool complete_ = false;
};

}  // namespace holdfast::durability
