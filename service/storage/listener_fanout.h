// Several listeners in the place of the one that a backend tells of its changes.
#pragma once

#include <memory>
#include <vector>

#include "service/storage/change_listener.h"

namespace holdfast::storage {

// Tells every listener of every change, in the order they were given, on the thread and under the locks of the backend.
class ListenerFanout final : public ChangeListener {
 public:
  explicit ListenerFanout(std::vector<std::shared_ptr<ChangeListener>> listeners) : listeners_(std::move(listeners)) {}

  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    for (const auto& listener : listeners_) listener->OnChange(key, before, after, cause);
  }
  void OnMissed() noexcept override {
    for (const auto& listener : listeners_) listener->OnMissed();
  }

 private:
  const std::vector<std::shared_ptr<ChangeListener>> listeners_;
};

}  // namespace holdfast::storage
