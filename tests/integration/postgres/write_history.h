// What clients were told of their writes, held against what is there in the end: everything acknowledged, nothing
// refused, and of what nobody knows either. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast {

enum class Told { kAcknowledged, kRefused, kUnknown };

class WriteHistory {
 public:
  using Entries = std::map<std::string, std::string>;  // value by key

  // Keys that nobody else writes; they were written together, so that all of them are there or none.
  void RecordWrite(const Entries& entries, Told told);
  // By one.
  void RecordIncrement(const std::string& counter, Told told);
  // An answer that no fault excuses.
  void RecordStrange(const std::string& what);

  struct Counts {
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;
    std::uint64_t unknown = 0;
  };
  Counts counts() const;
  // A sentence for each write that `found` contradicts, for each key that nobody wrote, and for each strange answer.
  std::vector<std::string> Complaints(const Entries& found) const;

 private:
  struct Write {
    Entries entries;
    Told told;
  };
  void Count(Told told);  // with mutex_ held

  mutable std::mutex mutex_;
  Counts counts_;                           // guarded by mutex_
  std::vector<Write> writes_;               // guarded by mutex_
  std::map<std::string, Counts> counters_;  // guarded by mutex_
  std::vector<std::string> strange_;        // guarded by mutex_
};

}  // namespace holdfast
