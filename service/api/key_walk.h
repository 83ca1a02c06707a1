// Walks through the keys of a list in order: leaves out what the filter does not match, and gathers keys that share
// everything up to a delimiter under their common prefix, whose other keys it passes with one seek instead of reading
// them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "service/api/cursor.h"
#include "service/api/list_query.h"
#include "service/storage/backend.h"

namespace holdfast::api {

// Takes what the walk finds. False: this one was not taken, and the walk stops in front of it.
class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;
  virtual bool OnItem(const storage::KeyedEntry& item) = 0;
  virtual bool OnPrefix(std::string_view prefix) = 0;
};

// What one step may cost; each is above zero.
struct StepLimits {
  std::size_t entries;   // read
  std::size_t matches;   // read from a backend that evaluates the filter
  std::size_t examined;  // looked at by such a backend
};

// Not thread-safe.
class KeyWalk {
 public:
  // `list` outlives the walk. It goes on behind `from`.
  KeyWalk(const ListQuery& list, std::optional<ListPosition> from) : list_(list), position_(std::move(from)) {}

  // One scan.
  Status Step(storage::Backend& keys, const StepLimits& limits, Deadline deadline, WalkVisitor* visitor);

  // Nothing is left.
  bool complete() const { return complete_; }
  // Where it stands: behind everything it has taken or passed; nullopt at the beginning.
  const std::optional<ListPosition>& position() const { return position_; }
  // Entries read so far, whether or not they were taken.
  std::size_t read() const { return read_; }
  // The same and those that the backend has left out.
  std::size_t examined() const { return examined_; }

 private:
  // The first scan of a list with a delimiter, and every one that ended among the keys of one prefix: what is read too
  // much of them is at most so many.
  static constexpr std::size_t kProbe = 16;

  // What is left of the range. False when nothing is.
  bool Narrow(storage::ScanRequest* request) const;
  std::string_view CommonPrefix(std::string_view key) const;  // empty = the key stands for itself
  bool Passed(std::string_view key) const;
  bool Take(const storage::KeyedEntry& item, WalkVisitor* visitor);

  const ListQuery& list_;
  std::optional<ListPosition> position_;
  std::size_t probe_ = kProbe;
  std::size_t read_ = 0;
  std::size_t examined_ = 0;
  bool complete_ = false;
};

}  // namespace holdfast::api
