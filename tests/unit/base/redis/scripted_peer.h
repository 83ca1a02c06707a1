// A peer that is no Redis: for each connection, one after the other, it does what it is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/redis/url.h"

namespace holdfast::redis {

class ScriptedPeer {
 public:
  // One connection, from the peer's side. Blocking; every call returns once the peer is being destroyed.
  class Talk {
   public:
    explicit Talk(int descriptor) : descriptor_(descriptor) {}
    // False when the other side is gone.
    bool Say(std::string_view bytes) const;
    // What comes next; empty when the other side is gone.
    std::string Hear() const;
    // Hears until `text` has come.
    void HearUntil(std::string_view text) const;

   private:
    int descriptor_;
  };

  // `behave` is called for each connection; when it returns the connection is closed.
  explicit ScriptedPeer(std::function<void(const Talk&)> behave);
  ~ScriptedPeer();
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  Address address() const;
  int connections() const { return connections_; }

 private:
  void Serve();

  const std::function<void(const Talk&)> behave_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  int current_ = -1;       // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace holdfast::redis
