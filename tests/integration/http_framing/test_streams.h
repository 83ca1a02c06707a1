// Streams for tests: one that gives what it is told to, and one that never runs dry.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "service/http/http_message.h"

namespace holdfast::api::testing {

// Gives what the test pushes, from any thread.
class PushedStream final : public BodyStream {
 public:
  explicit PushedStream(bool endless = true) : endless_(endless) {}

  void Start(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }
  State Pull(std::string* out, std::size_t) override {
    const std::lock_guard lock(mutex_);
    out->append(std::exchange(pending_, {}));
    return state_;
  }
  bool endless() const override { return endless_; }

  void Push(std::string_view text) { Change(text, State::kWait); }
  void End(std::string_view text = "") { Change(text, State::kEnd); }
  void Fail() { Change("", State::kFailed); }
  std::function<void()> wake() {
    const std::lock_guard lock(mutex_);
    return wake_;
  }
  bool started() { return wake() != nullptr; }

 private:
  void Change(std::string_view text, State state) {
    {
      const std::lock_guard lock(mutex_);
      pending_ += text;
      state_ = state;
    }
    if (const auto wake = this->wake()) wake();
  }

  const bool endless_;
  std::mutex mutex_;
  std::function<void()> wake_;  // guarded by mutex_
  std::string pending_;         // guarded by mutex_
  State state_ = State::kWait;  // guarded by mutex_
};

// Always has more.
class Fountain final : public BodyStream {
 public:
  explicit Fountain(std::atomic<std::size_t>* pulled, bool endless = true) : pulled_(pulled), endless_(endless) {}
  void Start(std::function<void()>) override {}
  State Pull(std::string* out, std::size_t most) override {
    out->append(most, 'f');
    *pulled_ += most;
    return State::kMore;
  }
  bool endless() const override { return endless_; }

 private:
  std::atomic<std::size_t>* const pulled_;
  const bool endless_;
};

}  // namespace holdfast::api::testing
