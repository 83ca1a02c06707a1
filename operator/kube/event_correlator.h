// Which Event an occurrence belongs to, and whether it is told at all. No input or output.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "base/time/clock.h"
#include "operator/kube/events.h"
#include "operator/kube/object.h"

namespace holdfast::kube {

// Something that happened to an object.
struct Occurrence {
  ObjectKey object;
  std::string api_version;
  std::string kind;
  std::string uid;
  std::string resource_version;
  EventType type = EventType::kNormal;
  std::string reason;
  std::string message;
  Timestamp when{};
};

struct EventWrite {
  Json event;              // the whole Event
  std::int64_t count = 1;  // above 1: it was written before, raise its count
};

// Not thread-safe.
class EventCorrelator {
 public:
  // client-go's events_cache defaults.
  static constexpr std::chrono::minutes kSameEventInterval{10};
  static constexpr double kBurst = 25;
  static constexpr std::chrono::seconds kRefillInterval{300};  // one more Event per object
  static constexpr std::size_t kRemembered = 4096;             // of either table; the least recently used is forgotten

  explicit EventCorrelator(std::string component) : component_(std::move(component)) {}

  // Nothing when the object has used up its burst.
  std::optional<EventWrite> Correlate(const Occurrence& occurrence);

 private:
  using ObjectId = std::tuple<std::string, ObjectKey, std::string>;  // kind, key, uid
  using EventId = std::tuple<ObjectId, EventType, std::string, std::string>;
  struct Series {
    std::string name;
    Timestamp first{};
    Timestamp last{};
    std::int64_t count = 0;
  };
  struct Allowance {
    double left = kBurst;
    Timestamp as_of{};
  };
  // A map that forgets what was used longest ago.
  template <typename Key, typename Value>
  struct Recent {
    using Order = std::list<Key>;
    std::map<Key, std::pair<Value, typename Order::iterator>> entries;
    Order order;  // most recent first

    // The entry, made when it was not there.
    Value& Touch(const Key& key) {
      auto found = entries.find(key);
      if (found == entries.end()) {
        order.push_front(key);
        found = entries.emplace(key, std::pair(Value{}, order.begin())).first;
        if (entries.size() > kRemembered) {
          entries.erase(order.back());
          order.pop_back();
        }
      } else {
        order.splice(order.begin(), order, found->second.second);
      }
      return found->second.first;
    }
  };

  bool Allow(const ObjectId& object, Timestamp now);
  // As client-go names Events: the object's name and a time; never the same time twice.
  std::string NewName(const std::string& object, Timestamp now);
  Json MakeEvent(const Occurrence& occurrence, const Series& series) const;

  const std::string component_;
  Timestamp last_name_{};
  Recent<EventId, Series> series_;
  Recent<ObjectId, Allowance> allowances_;
};

}  // namespace holdfast::kube
