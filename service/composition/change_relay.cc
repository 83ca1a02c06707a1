#include "service/composition/change_relay.h"

#include "service/composition/failover_rows.h"

namespace holdfast::composition {

using storage::EntryPtr;

class ChangeRelay::Listener final : public storage::ChangeListener {
 public:
  Listener(std::shared_ptr<ChangeRelay> relay, std::size_t replica) : relay_(std::move(relay)), replica_(replica) {}

  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                storage::ChangeCause cause) noexcept override {
    auto of = KeyOfRow(FailoverRow::kCopy, key);
    if (!of) return;
    relay_->Add(replica_, {0, *std::move(of), Unwrapped(before), Unwrapped(after), cause});
  }

 private:
  static EntryPtr Unwrapped(const EntryPtr& row) { return row ? DecodeFailoverCopy(row->value) : nullptr; }

  const std::shared_ptr<ChangeRelay> relay_;
  const std::size_t replica_;
};

std::shared_ptr<storage::ChangeListener> ChangeRelay::ListenerOf(std::size_t replica) {
  return std::make_shared<Listener>(shared_from_this(), replica);
}

void ChangeRelay::SetListener(std::shared_ptr<storage::ChangeListener> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void ChangeRelay::Begin(std::size_t replica, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  begun_[replica] = sequence;
}

void ChangeRelay::Lead(std::size_t replica, std::uint64_t applied) {
  const std::lock_guard lock(mutex_);
  const bool first = !leader_.has_value();
  leader_ = replica;
  if (first) return;
  // What it has not applied it will tell itself.
  while (!waiting_.empty() && waiting_.back().sequence > applied) waiting_.pop_back();
  if (listener_) listener_->OnMissed();
}

void ChangeRelay::Release(std::uint64_t committed) {
  const std::lock_guard lock(mutex_);
  committed_ = std::max(committed_, committed);
  TellCommitted();
}

void ChangeRelay::Add(std::size_t replica, Change change) {
  const std::lock_guard lock(mutex_);
  if (leader_ != replica || !listener_) return;
  change.sequence = begun_[replica];
  waiting_.push_back(std::move(change));
  TellCommitted();
}

void ChangeRelay::TellCommitted() {
  while (!waiting_.empty() && waiting_.front().sequence <= committed_) {
    const Change change = std::move(waiting_.front());
    waiting_.pop_front();
    if (listener_) listener_->OnChange(change.key, change.before, change.after, change.cause);
  }
}

}  // namespace holdfast::composition
