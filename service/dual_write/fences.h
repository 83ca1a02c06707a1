// Rows of the target that say which migration may write there. Each write of a mirror holds only while one of them
// names its migration; so what an instance that was asleep for hours begins to write is refused once the migration is
// over.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/rows.h"
#include "service/storage/backend.h"

namespace holdfast::dual_write {

// As they stood at some moment.
class Fences {
 public:
  static Result<Fences> Read(storage::Backend& target, const Rows& rows, Deadline deadline);

  // All of them say so; the empty value: there is none.
  bool All(std::string_view value) const;
  bool AnyIs(std::string_view value) const;
  // Has all of them say so, unless one has changed since they were read: kUnavailable then.
  Status Replace(storage::Backend& target, const Rows& rows, const std::string& value, Deadline deadline) const;

 private:
  explicit Fences(std::vector<storage::EntryPtr> entries) : entries_(std::move(entries)) {}

  std::vector<storage::EntryPtr> entries_;
};

}  // namespace holdfast::dual_write
