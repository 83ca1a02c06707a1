// One read of the system of record for all who miss the same key at the same time (single flight: the Go team's
// singleflight; memcached leases, Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013).
//
// Who comes later may only share a read that knows no less than one of its own would: one that carries the stamp the
// key has now. So a read that began before an acknowledged write is never given to a reader that came behind it.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/deadline.h"
#include "service/composition/cached_copy.h"

namespace holdfast::composition {

// Thread-safe.
class Flights {
 public:
  // What a read of the system of record gave.
  struct Landing {
    bool failed = false;
    storage::EntryPtr entry;  // null: there is no such key
  };

  class Flight {
    friend class Flights;
    explicit Flight(const Stamp& stamp) : stamp_(stamp) {}
    const Stamp stamp_;
    std::mutex mutex_;
    std::condition_variable landed_;
    std::optional<Landing> landing_;  // guarded by mutex_
  };

  struct Boarded {
    std::shared_ptr<Flight> flight;
    bool leads = false;  // it reads, and must land; the others wait
  };
  Boarded Board(std::string_view key, const Stamp& stamp);
  // By who leads, whatever came of it.
  void Land(std::string_view key, const std::shared_ptr<Flight>& flight, Landing landing);
  // Nothing at the deadline.
  static std::optional<Landing> Await(Flight& flight, Deadline deadline);

 private:
  static constexpr std::size_t kParts = 64;
  struct Part {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Flight>, std::less<>> flights;  // guarded by mutex
  };
  Part& PartOf(std::string_view key) { return parts_[std::hash<std::string_view>{}(key) % kParts]; }

  std::array<Part, kParts> parts_;
};

}  // namespace holdfast::composition
