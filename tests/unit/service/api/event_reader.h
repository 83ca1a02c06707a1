// The client's side of a stream of events: pulls as a connection would and takes the events apart.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "service/http/http_message.h"

namespace holdfast::api {

struct ServerEvent {
  std::string event;
  std::string id;
  std::string data;
  std::string comment;  // of a block that is no event

  nlohmann::json Json() const { return nlohmann::json::parse(data, nullptr, false); }
};

class EventReader {
 public:
  explicit EventReader(std::shared_ptr<BodyStream> stream) : stream_(std::move(stream)) {
    stream_->Start([wakes = wakes_] {
      std::lock_guard lock(wakes->mutex);
      ++wakes->count;
      wakes->changed.notify_all();
    });
  }

  // The next event or comment; nullopt when the stream has ended, or after ten seconds.
  std::optional<ServerEvent> NextBlock() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (blocks_.empty()) {
      std::unique_lock lock(wakes_->mutex);
      const int seen = wakes_->count;
      lock.unlock();
      if (!Pull()) return std::nullopt;
      if (!blocks_.empty() || more_) continue;
      lock.lock();
      if (!wakes_->changed.wait_until(lock, deadline, [&] { return wakes_->count != seen; })) return std::nullopt;
    }
    ServerEvent block = std::move(blocks_.front());
    blocks_.pop_front();
    if (!block.id.empty()) last_id_ = block.id;
    return block;
  }
  // The next event.
  ServerEvent Next() {
    while (auto block = NextBlock()) {
      if (!block->event.empty()) return *block;
    }
    return {};
  }
  // What there is now, without waiting.
  bool HasEvent() {
    Pull();
    return std::any_of(blocks_.begin(), blocks_.end(), [](const ServerEvent& block) { return !block.event.empty(); });
  }
  const std::string& last_id() const { return last_id_; }

 private:
  struct Wakes {
    std::mutex mutex;
    std::condition_variable changed;
    int count = 0;  // guarded by mutex
  };

  // False when the stream has ended.
  bool Pull() {
    if (ended_) return false;
    const BodyStream::State state = stream_->Pull(&text_, 16'384);
    ended_ = state == BodyStream::State::kEnd || state == BodyStream::State::kFailed;
    more_ = state == BodyStream::State::kMore;
    for (std::size_t end = text_.find("\n\n"); end != std::string::npos; end = text_.find("\n\n")) {
      blocks_.push_back(Parse(text_.substr(0, end + 1)));
      text_.erase(0, end + 2);
    }
    return !ended_ || !blocks_.empty();
  }

  static ServerEvent Parse(std::string_view block) {
    ServerEvent event;
    bool has_data = false;
    while (!block.empty()) {
      const std::string_view line = block.substr(0, block.find('\n'));
      block.remove_prefix(line.size() + 1);
      const std::size_t colon = line.find(": ");
      const std::string_view field = line.substr(0, colon);
      const std::string_view value = line.substr(colon + 2);
      if (field == "event") event.event = value;
      if (field == "id") event.id = value;
      if (field.empty()) event.comment = value;
      if (field == "data") {
        if (has_data) event.data.push_back('\n');
        event.data.append(value);
        has_data = true;
      }
    }
    return event;
  }

  const std::shared_ptr<BodyStream> stream_;
  const std::shared_ptr<Wakes> wakes_ = std::make_shared<Wakes>();
  std::string text_;
  std::deque<ServerEvent> blocks_;
  std::string last_id_;
  bool more_ = false;
  bool ended_ = false;
};

}  // namespace holdfast::api
