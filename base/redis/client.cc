#include "base/redis/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "base/log/log.h"
#include "base/redis/cluster.h"
#include "base/redis/sentinels.h"
#include "base/redis/wait.h"

namespace holdfast::redis {
namespace {

// After so much silence of a sentinel it is asked whether it is still there.
constexpr std::chrono::seconds kFollowTick{5};

pool::Options PoolOptions(const Options& options) {
  pool::Options pool;
  pool.owner = "the redis client";
  pool.min_connections = options.min_connections;
  pool.max_connections = options.max_connections;
  pool.acquire_timeout = options.acquire_timeout;
  pool.idle_timeout = options.idle_timeout;
  pool.max_lifetime = options.max_lifetime;
  pool.reopening = {options.reconnect_initial, options.reconnect_maximum, 1.0};
  return pool;
}

Status Check(const Options& options) {
  const auto wrong = [](std::string_view what) -> Status {
    return Error(ErrorCode::kInvalidArgument, std::string(what));
  };
  if (options.target.addresses.empty()) return wrong("the Redis target names no address");
  const bool sentinels = options.target.topology == Target::Topology::kSentinel;
  if (sentinels && options.target.master.empty()) return wrong("the Redis target names no master");
  const bool cluster = options.target.topology == Target::Topology::kCluster;
  if (!sentinels && !cluster && options.target.addresses.size() > 1) {
    return wrong("the Redis target names several servers: only sentinels and nodes of a cluster may be several");
  }
  if (cluster && options.target.database != 0) return wrong("a Redis Cluster has no database but 0");
  if (!sentinels && options.role == Role::kReplica) {
    return wrong("replicas are found with sentinels only: name one as a server of its own");
  }
  if (options.max_connections < 1 || options.min_connections < 0 || options.min_connections > options.max_connections) {
    return wrong("the connections to Redis must be at least 1, and the minimum not above the maximum");
  }
  if (options.tls.certificate.empty() != options.tls.key.empty()) {
    return wrong("a client certificate needs its key, and a key its certificate");
  }
  return {};
}

bool NothingWasWritten(const Pipeline& pipeline, const Replies& replies) {
  for (std::size_t i = 0; i < replies.size(); ++i) {
    // Of a write, kUnavailable says that it was not done.
    const bool refused = !replies[i].ok() && replies[i].error().code() == ErrorCode::kUnavailable;
    if (pipeline.effect(i) == Effect::kWrite && !refused) return false;
  }
  return true;
}

}  // namespace

class Client::Impl {
 public:
  Impl(Options options, Prepare prepare) : options_(std::move(options)), prepare_(std::move(prepare)) {
    if (options_.target.topology == Target::Topology::kCluster) {
      cluster_.emplace(options_, PoolOptions(options_), prepare_);
      return;
    }
    pool_.emplace(PoolOptions(options_), [this] { return OpenForPool(); });
    if (sentinels_ && options_.role == Role::kMaster) follower_ = std::thread([this] { Follow(); });
  }
  ~Impl() { Close(); }

  // One of the two is there.
  Pool* pool() { return pool_ ? &*pool_ : nullptr; }
  Cluster* cluster() { return cluster_ ? &*cluster_ : nullptr; }
  Result<std::unique_ptr<Connection>> Open(Deadline deadline, const Interrupt* interrupt);
  std::uint64_t master_changes() const {
    return cluster_ ? cluster_->changes() : generation_->load(std::memory_order_acquire);
  }
  void Close();

 private:
  Result<std::unique_ptr<Connection>> OpenForPool();
  Result<std::unique_ptr<Connection>> OpenMaster(Deadline deadline, const Interrupt* interrupt);
  Result<std::unique_ptr<Connection>> OpenReplica(Deadline deadline, const Interrupt* interrupt);
  // What a sentinel said. `asked_for`: the epoch that it should have known.
  void Learn(const KnownMaster& found, std::uint64_t asked_for);
  std::uint64_t Epoch() const;
  void Follow();
  // Until the sentinel is lost.
  void Listen(const Address& sentinel, Backoff& backoff);

  const Options options_;
  const Prepare prepare_;
  Interrupt closing_;
  std::optional<Sentinels> sentinels_ = options_.target.topology == Target::Topology::kSentinel
                                            ? std::optional<Sentinels>(std::in_place, options_)
                                            : std::nullopt;
  // How often the master has changed; connections of an earlier number are not used again.
  const std::shared_ptr<std::atomic<std::uint64_t>> generation_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  mutable std::mutex mutex_;
  std::optional<KnownMaster> current_;  // guarded by mutex_
  std::atomic<std::size_t> next_replica_{0};
  std::mutex close_mutex_;  // one Close joins, others wait for it
  std::optional<Cluster> cluster_;
  std::optional<Pool> pool_;  // behind all that its opener uses
  std::thread follower_;
};

std::uint64_t Client::Impl::Epoch() const {
  std::lock_guard lock(mutex_);
  return current_ ? current_->epoch : 0;
}

void Client::Impl::Learn(const KnownMaster& found, std::uint64_t asked_for) {
  std::string before;
  {
    std::lock_guard lock(mutex_);
    const std::uint64_t known = current_ ? current_->epoch : 0;
    // Older than what is known: only when nobody knew better, and nobody has since.
    if (found.epoch < known && !(found.older && known == asked_for)) return;
    if (current_ && current_->address != found.address) {
      before = current_->address.ToString();
      generation_->fetch_add(1, std::memory_order_acq_rel);
    }
    current_ = found;
  }
  if (before.empty()) return;
  // Connections to the one before are of no more use (Connection::BelongTo); the pool closes them.
  log::Info("the Redis master has changed", {{"master", options_.target.master},
                                             {"before", before},
                                             {"now", found.address.ToString()},
                                             {"epoch", found.epoch}});
}

Result<std::unique_ptr<Connection>> Client::Impl::OpenMaster(Deadline deadline, const Interrupt* interrupt) {
  const std::uint64_t epoch = Epoch();
  HOLDFAST_ASSIGN_OR_RETURN(const KnownMaster found, sentinels_->FindMaster(epoch, deadline, interrupt));
  Learn(found, epoch);
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    if (!current_ || current_->address != found.address) {
      return Error(ErrorCode::kUnavailable, "the Redis master is changing: try again");
    }
    generation = generation_->load(std::memory_order_acquire);
  }
  HOLDFAST_ASSIGN_OR_RETURN(
      std::unique_ptr<Connection> connection,
      Connection::Open(found.address, options_, Connection::Expect::kMaster, deadline, interrupt));
  connection->BelongTo(generation_, generation);
  return connection;
}

Result<std::unique_ptr<Connection>> Client::Impl::OpenReplica(Deadline deadline, const Interrupt* interrupt) {
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Address> replicas, sentinels_->FindReplicas(deadline, interrupt));
  Error last(ErrorCode::kUnavailable, "no replica is in touch with its master");
  const std::size_t first = next_replica_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const Address& replica = replicas[(first + i) % replicas.size()];
    Result<std::unique_ptr<Connection>> opened =
        Connection::Open(replica, options_, Connection::Expect::kReplica, deadline, interrupt);
    if (opened.ok()) return opened;
    last = std::move(opened).error();
    if (deadline.Expired() || last.code() == ErrorCode::kCancelled) break;
  }
  return last;
}

Result<std::unique_ptr<Connection>> Client::Impl::Open(Deadline deadline, const Interrupt* interrupt) {
  if (!sentinels_) {
    return Connection::Open(options_.target.addresses.front(), options_, Connection::Expect::kNothing, deadline,
                            interrupt);
  }
  return options_.role == Role::kMaster ? OpenMaster(deadline, interrupt) : OpenReplica(deadline, interrupt);
}

Result<std::unique_ptr<Connection>> Client::Impl::OpenForPool() {
  Result<std::unique_ptr<Connection>> opened = Open(Deadline::Infinite(), &closing_);
  if (!opened.ok()) return opened;
  if (prepare_) {
    HOLDFAST_RETURN_IF_ERROR(prepare_(**opened, Deadline::After(options_.connect_timeout)));
  }
  // Calls that run when the client is closed get their answers.
  (*opened)->ForgetInterrupt();
  return opened;
}

void Client::Impl::Follow() {
  Backoff backoff({options_.reconnect_initial, options_.reconnect_maximum, 1.0});
  while (!closing_.triggered()) {
    for (const Address& sentinel : sentinels_->InOrder()) Listen(sentinel, backoff);
    static_cast<void>(Await(closing_.descriptor(), POLLIN, Deadline::After(backoff.Next()), nullptr));
  }
}

void Client::Impl::Listen(const Address& sentinel, Backoff& backoff) {
  const auto ask = [&] {
    const std::uint64_t epoch = Epoch();
    const Result<KnownMaster> found = sentinels_->Ask(sentinel, Deadline::Infinite(), &closing_);
    if (found.ok()) Learn(*found, epoch);
    return found.ok();
  };
  const Result<std::unique_ptr<Connection>> opened = sentinels_->Open(sentinel, Deadline::Infinite(), &closing_);
  if (!opened.ok()) return;
  Connection& connection = **opened;
  Pipeline subscribe;
  subscribe.Add(Effect::kRead, {"SUBSCRIBE", "+switch-master"});
  Pipeline ping;
  ping.Add(Effect::kRead, {"PING"});
  if (!connection.Send(subscribe, Deadline::After(kSentinelPatience)).ok()) return;
  // It may have changed while nobody listened.
  if (!ask()) return;
  backoff.Reset();
  const std::string prefix = options_.target.master + " ";
  bool asked = false;
  while (true) {
    Result<Value> message = connection.Receive(Deadline::After(kFollowTick));
    if (!message.ok()) {
      if (message.error().code() != ErrorCode::kDeadlineExceeded || asked) return;
      asked = true;
      if (!connection.Send(ping, Deadline::After(kSentinelPatience)).ok()) return;
      continue;
    }
    asked = false;
    // {"message", "+switch-master", "<master> <old host> <old port> <new host> <new port>"}; others are answers.
    if (!message->IsArray() || message->elements().size() != 3) continue;
    const Value& text = message->elements()[2];
    if (text.IsString() && text.text().starts_with(prefix) && !ask()) return;
  }
}

void Client::Impl::Close() {
  std::lock_guard lock(close_mutex_);
  closing_.Trigger();
  if (follower_.joinable()) follower_.join();
  if (cluster_) cluster_->Close();
  if (pool_) pool_->Close();
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Make(Options options, Prepare prepare) {
  HOLDFAST_RETURN_IF_ERROR(Check(options));
  try {
    return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(std::move(options), std::move(prepare))));
  } catch (const std::system_error& thrown) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("no descriptor or thread for the redis client: {}", thrown.what()));
  }
}

Replies Client::Run(const Pipeline& pipeline, Deadline deadline) {
  if (Cluster* cluster = impl_->cluster()) return cluster->Run(pipeline, deadline);
  Replies replies;
  for (int misdirections = 0; misdirections < kMisdirections; ++misdirections) {
    const Result<Pool::Lease> connection = Acquire(deadline);
    if (!connection.ok()) {
      replies.assign(pipeline.size(), connection.error());
      return replies;
    }
    replies = (*connection)->Run(pipeline, deadline);
    if (!(*connection)->misdirected() || deadline.Expired() || !NothingWasWritten(pipeline, replies)) return replies;
  }
  return replies;
}

Result<Value> Client::Run(Effect effect, std::initializer_list<std::string_view> words, Deadline deadline) {
  Pipeline pipeline;
  if (words.size() > 1) pipeline.For(words.begin()[1]);
  pipeline.Add(effect, words);
  return std::move(Run(pipeline, deadline).front());
}

Result<Client::Pool::Lease> Client::Acquire(Deadline deadline) {
  if (impl_->cluster() != nullptr) {
    return Error(ErrorCode::kNotSupported, "one connection does not lead to all nodes of a Redis Cluster");
  }
  return impl_->pool()->Acquire(deadline);
}

Result<std::unique_ptr<Connection>> Client::OpenDedicated(Deadline deadline, const Interrupt* interrupt,
                                                          std::string_view key) {
  if (Cluster* cluster = impl_->cluster()) return cluster->Open(key, deadline, interrupt);
  return impl_->Open(deadline, interrupt);
}

pool::Statistics Client::statistics() const {
  if (const Cluster* cluster = impl_->cluster()) return cluster->statistics();
  return impl_->pool()->statistics();
}

std::uint64_t Client::master_changes() const {
  return impl_->master_changes();
}

void Client::Close() {
  impl_->Close();
}

}  // namespace holdfast::redis
