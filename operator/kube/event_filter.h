// Which events of a watch are replays: delivered twice, or again after their successors. A server in order never sends
// them; a proxy or a bug may. resourceVersions are opaque, so they are only compared for equality: an added or modified
// object is a replay when the copy has that version now, or had it lately, or when it was deleted lately, or when it
// goes back in its own object's generation. Bounded memory; what has fallen out is believed.
#pragma once

#include <deque>
#include <string>
#include <unordered_set>

#include "operator/kube/object.h"

namespace holdfast::kube {

// Not thread-safe; one per informer.
class EventFilter {
 public:
  static constexpr std::size_t kRemembered = 1024;  // superseded versions and deleted uids together

  // Under a selector "deleted" may only mean "no longer selected", so the same uid may come back.
  explicit EventFilter(bool selective) : selective_(selective) {}

  // `current` is the copy's object of that name, or nullptr.
  bool IsReplay(const Json* current, const Json& event_object) const;
  // This version is about to be replaced.
  void Superseded(const Json& object);
  // This version was the object's last.
  void Removed(const Json& object);
  // A list was taken: whatever it says holds, also that old versions are back (an etcd restored from a backup).
  void Clear();

 private:
  void Remember(std::string mark);

  const bool selective_;
  std::deque<std::string> order_;
  std::unordered_set<std::string> marks_;  // the same strings
};

}  // namespace holdfast::kube
