#include "base/deferral/deferral.h"

#include <utility>

namespace holdfast {

thread_local Deferral* Deferral::outermost_ = nullptr;

Deferral::Deferral() {
  if (outermost_ == nullptr) outermost_ = this;
}

Deferral::~Deferral() {
  if (outermost_ != this) return;
  outermost_ = nullptr;  // first: what an action defers in its turn is done at once
  for (const std::function<void()>& action : actions_) action();
}

void Deferral::AtEnd(std::function<void()> action) {
  if (outermost_ == nullptr) return action();
  outermost_->actions_.push_back(std::move(action));
}

}  // namespace holdfast
