// Connections to one server, shared by threads: opened when needed up to a maximum, kept, checked before use, closed
// when unused or old. Who waits gets one in the order of asking. When one turns out to lead to the wrong server (a
// primary that became a standby), those that are idle go with it. When one is lost, or its answer did not come in time,
// those that are idle are asked whether their server answers before they are used again; when one does not, all go: a
// server that hangs holds up no more than one call for kProbePatience after its own deadline. While nothing can be
// opened the attempts back off.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result/result.h"
#include "base/time/backoff.h"
#include "base/time/deadline.h"

namespace holdfast::pool {

// How long a server may take for a question that needs nothing.
inline constexpr std::chrono::seconds kProbePatience{1};

// What a pool asks of a connection. One thread at a time.
class Pooled {
 public:
  virtual ~Pooled() = default;
  // False once nothing more should be asked of it.
  virtual bool usable() const = 0;
  // It leads to a server that is not the one wanted: so will others that were opened before.
  virtual bool misdirected() const = 0;
  // Whether the server has closed it, found without a round trip.
  virtual bool HungUp() const = 0;
  // Asks the server, which takes a round trip, whether it answers and is still what it was taken for.
  virtual bool Answers(Deadline deadline) = 0;
  virtual std::chrono::steady_clock::time_point opened_at() const = 0;
};

struct Options {
  std::string owner;  // for messages: "the redis client"
  int min_connections = 1;
  int max_connections = 8;
  std::chrono::milliseconds acquire_timeout{5'000};   // for a connection when all are in use
  std::chrono::milliseconds idle_timeout{300'000};    // an unused one above min_connections is closed
  std::chrono::milliseconds max_lifetime{1'800'000};  // then it is replaced; 0 = never
  BackoffPolicy reopening{std::chrono::milliseconds{50}, std::chrono::seconds{1}, 1.0};
};

struct Statistics {
  std::uint64_t max = 0;
  std::uint64_t idle = 0;
  std::uint64_t in_use = 0;    // or being opened
  std::uint64_t waiting = 0;   // calls that wait for one
  std::uint64_t acquired = 0;  // calls that asked for one
  std::uint64_t waited = 0;    // of these, who found all in use
  std::uint64_t timeouts = 0;  // of these, who got none in time
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::uint64_t failures = 0;  // to open one
};

// Thread-safe. Below ConnectionPool, which gives it types.
class UntypedPool {
 public:
  using Opener = std::function<Result<std::unique_ptr<Pooled>>()>;

  // `open` is called by one thread of the pool at a time. Opens nothing before it is asked, save min_connections in the
  // background.
  UntypedPool(Options options, Opener open);
  ~UntypedPool();
  UntypedPool(const UntypedPool&) = delete;
  UntypedPool& operator=(const UntypedPool&) = delete;

  Result<std::unique_ptr<Pooled>> Acquire(Deadline deadline);
  void Release(std::unique_ptr<Pooled> connection);
  Statistics statistics() const;
  void Close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Thread-safe. `Connection` is a Pooled.
template <typename Connection>
class ConnectionPool {
 public:
  using Opener = std::function<Result<std::unique_ptr<Connection>>()>;

  ConnectionPool(Options options, Opener open)
      : pool_(std::move(options), [open = std::move(open)]() -> Result<std::unique_ptr<Pooled>> {
          HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<Connection> opened, open());
          return std::unique_ptr<Pooled>(std::move(opened));
        }) {}

  // Gives its connection back when it goes; one that is no longer usable is closed instead.
  class Lease {
   public:
    Lease(UntypedPool& pool, std::unique_ptr<Pooled> connection) : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->Release(std::move(connection_));
    }
    Connection* operator->() const { return &**this; }
    Connection& operator*() const { return static_cast<Connection&>(*connection_); }

   private:
    UntypedPool* pool_;
    std::unique_ptr<Pooled> connection_;
  };

  // kDeadlineExceeded at the deadline, kUnavailable after acquire_timeout, and at once when no connection stands and
  // none can be opened.
  Result<Lease> Acquire(Deadline deadline) {
    HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<Pooled> connection, pool_.Acquire(deadline));
    return Lease(pool_, std::move(connection));
  }
  Statistics statistics() const { return pool_.statistics(); }
  // Refuses further requests; connections in use are closed when they come back. Idempotent.
  void Close() { pool_.Close(); }

 private:
  UntypedPool pool_;
};

}  // namespace holdfast::pool
