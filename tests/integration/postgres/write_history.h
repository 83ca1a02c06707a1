// What clients were told of their writes, held against what is there in the end: everything acknowledged, nothing
// refused, and of what nobody knows either. Thread-safe.
#pragma once

#include <chrono>
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
  // What a client was told of a write that was not acknowledged; the first few are kept, to be shown.
  void RecordTrouble(const std::string& what);

  struct Counts {
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;
    std::uint64_t unknown = 0;
  };
  Counts counts() const;
  std::vector<std::string> troubles() const;
  // What was acknowledged in between may be lost, as if nobody knew: where a store promises no more.
  using Time = std::chrono::steady_clock::time_point;
  struct Window {
    Time from = Time::max();
    Time until = Time::min();
    bool Contains(Time at) const { return at >= from && at <= until; }
  };
  // A sentence for each write that `found` contradicts, for each key that nobody wrote, and for each strange answer.
  std::vector<std::string> Complaints(const Entries& found, const std::vector<Window>& may_lose) const;
  std::vector<std::string> Complaints(const Entries& found, const Window& may_lose) const {
    return Complaints(found, std::vector{may_lose});
  }
  std::vector<std::string> Complaints(const Entries& found) const { return Complaints(found, std::vector<Window>()); }
  // How many acknowledged writes are not there, excused or not.
  std::uint64_t Lost(const Entries& found) const;

 private:
  struct Write {
    Entries entries;
    Told told;
    Time at;
  };
  struct Increments {
    Counts counts;
    std::vector<Time> acknowledged;
  };
  void Count(Told told);  // with mutex_ held

  mutable std::mutex mutex_;
  Counts counts_;                               // guarded by mutex_
  std::vector<Write> writes_;                   // guarded by mutex_
  std::map<std::string, Increments> counters_;  // guarded by mutex_
  std::vector<std::string> strange_;            // guarded by mutex_
  std::vector<std::string> troubles_;           // guarded by mutex_
};

}  // namespace holdfast
