#include "base/redis/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/log/log.h"
#include "base/time/backoff.h"

namespace holdfast::redis {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kLongestPause{50};
// Two nodes may send a command to each other while they disagree.
constexpr int kHastyRounds = 4;

// "name:value" in the lines of CLUSTER INFO.
std::string_view FieldOf(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }
  return {};
}

Error Closed() {
  return {ErrorCode::kUnavailable, "the redis client is closed"};
}

}  // namespace

struct Cluster::Node {
  Node(Address where, const pool::Options& options, std::function<Result<std::unique_ptr<Connection>>(Node&)> open)
      : address(std::move(where)), pool(options, [this, open = std::move(open)] { return open(*this); }) {}
  // Whoever connects to a node that is of no more use stops.
  ~Node() { closing.Trigger(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const Address address;
  Interrupt closing;
  // How often nodes had been asked when no connection could be had for the first time since one could; 0: one can be.
  std::atomic<std::uint64_t> failed_at{0};
  Pool pool;
};

// The commands of a round that go to one node. Of two kinds the second goes behind the answers to the first.
struct Cluster::Shipment {
  std::shared_ptr<Node> node;
  std::vector<std::size_t> plain;
  std::vector<std::size_t> asking;
};

Cluster::Cluster(const Options& options, pool::Options node, Prepare prepare)
    : options_(options),
      node_options_(std::move(node)),
      prepare_(std::move(prepare)),
      order_(options.target.addresses),
      refresher_([this] { RefreshLoop(); }) {}

void Cluster::MarkStale() {
  {
    const std::lock_guard lock(mutex_);
    stale_ = true;
  }
  wake_.notify_one();
}

void Cluster::RefreshLoop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kSlowRefresh, [this] { return stale_ || closed_; });
      wake_.wait_until(lock, refreshed_at_ + kRefreshInterval, [this] { return closed_; });
      if (closed_) return;
      stale_ = false;
    }
    Result<SlotMap> found = AskNodes();
    if (found.ok()) Install(std::move(*found));
    {
      const std::lock_guard lock(mutex_);
      ++attempts_;
      refreshed_at_ = SteadyClock::now();
      failure_.reset();
      if (!found.ok()) {
        failure_ = found.error();
        stale_ = true;
      }
    }
    refreshed_.notify_all();
  }
}

Result<Cluster::Said> Cluster::AskOne(const Address& node) const {
  const Deadline patience = Deadline::After(kNodePatience);
  HOLDFAST_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                            Connection::Open(node, options_, Connection::Expect::kNothing, patience, &closing_));
  Pipeline pipeline;
  pipeline.Add(Effect::kRead, {"CLUSTER", "INFO"}).Add(Effect::kRead, {"CLUSTER", "SLOTS"});
  Replies replies = connection->Run(pipeline, patience);
  HOLDFAST_ASSIGN_OR_RETURN(const std::string info, AsString(std::move(replies[0]), "CLUSTER INFO"));
  if (!replies[1].ok()) return std::move(replies[1]).error().WithContext("CLUSTER SLOTS");
  Said said;
  said.serves = FieldOf(info, "cluster_state") == "ok";
  const std::string_view epoch = FieldOf(info, "cluster_current_epoch");
  static_cast<void>(std::from_chars(epoch.data(), epoch.data() + epoch.size(), said.epoch));
  HOLDFAST_ASSIGN_OR_RETURN(SlotMap map, SlotMap::FromClusterSlots(*replies[1], node));
  said.map = std::move(map);
  return said;
}

Result<SlotMap> Cluster::AskNodes() {
  std::vector<Address> order = order_;
  const auto add = [&](const std::vector<Address>& more) {
    for (const Address& address : more) {
      if (std::find(order.begin(), order.end(), address) == order.end()) order.push_back(address);
    }
  };
  {
    const std::lock_guard lock(mutex_);
    if (map_) add(map_->masters());
  }
  add(options_.target.addresses);
  std::optional<Said> best;
  std::optional<Error> last;
  for (const Address& address : order) {
    Result<Said> said = AskOne(address);
    if (!said.ok()) {
      if (closing_.triggered()) return Closed();
      last = std::move(said).error();
      continue;
    }
    const bool good = said->serves && said->epoch >= epoch_;
    if (good || !best || std::pair(said->serves, said->epoch) > std::pair(best->serves, best->epoch)) {
      best = std::move(*said);
      const auto place = std::find(order_.begin(), order_.end(), address);
      if (place != order_.end()) order_.erase(place);
      order_.insert(order_.begin(), address);
    }
    if (good) break;
  }
  if (best) {
    epoch_ = best->epoch;
    // Nodes that are gone are forgotten; the target's are not.
    std::erase_if(order_, [&](const Address& address) {
      const auto among = [&](const std::vector<Address>& some) {
        return std::find(some.begin(), some.end(), address) != some.end();
      };
      return !among(best->map->masters()) && !among(options_.target.addresses);
    });
    return std::move(*best->map);
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("none of the {} nodes of the Redis Cluster says who serves what: {}", order.size(),
                           last ? last->message() : "there is none to ask"));
}

void Cluster::Install(SlotMap found) {
  auto map = std::make_shared<const SlotMap>(std::move(found));
  std::vector<std::shared_ptr<Node>> gone;  // closed behind the lock
  bool moved = false;
  {
    const std::lock_guard lock(mutex_);
    for (std::uint16_t slot = 0; map_ && slot < kSlots && !moved; ++slot) {
      const Address* before = map_->MasterOf(slot);
      const Address* after = map->MasterOf(slot);
      moved = before == nullptr || after == nullptr ? before != after : *before != *after;
    }
    map_ = map;
    for (auto node = nodes_.begin(); node != nodes_.end();) {
      const auto& masters = map->masters();
      if (std::find(masters.begin(), masters.end(), node->second->address) != masters.end()) {
        ++node;
        continue;
      }
      gone.push_back(std::move(node->second));
      node = nodes_.erase(node);
    }
  }
  if (!moved) return;
  changes_.fetch_add(1, std::memory_order_relaxed);
  log::Info("slots of the Redis Cluster have another master", {{"masters", map->masters().size()}});
}

Result<Cluster::Map> Cluster::CurrentMap(Deadline deadline) {
  std::unique_lock lock(mutex_);
  // Who comes before the first attempt has ended waits for it.
  const auto done = [&] { return closed_ || map_ || failure_; };
  if (!refreshed_.wait_until(lock, deadline.WaitUntil(), done)) {
    return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while nodes of the Redis Cluster were asked");
  }
  if (closed_) return Closed();
  if (map_) return map_;
  return *failure_;
}

void Cluster::AwaitRefresh(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t seen = attempts_;
  stale_ = true;
  wake_.notify_one();
  refreshed_.wait_until(lock, deadline.WaitUntil(), [&] { return closed_ || attempts_ != seen; });
}

Result<std::shared_ptr<Cluster::Node>> Cluster::NodeAt(const Address& address) {
  const std::string name = address.ToString();
  const std::lock_guard lock(mutex_);
  if (closed_) return Closed();
  if (const auto found = nodes_.find(name); found != nodes_.end()) return found->second;
  if (nodes_.size() >= kMaxClusterNodes) {
    return Error(ErrorCode::kUnavailable, fmt::format("the Redis Cluster names more than {} nodes", kMaxClusterNodes));
  }
  const auto open = [this](Node& node) -> Result<std::unique_ptr<Connection>> {
    HOLDFAST_ASSIGN_OR_RETURN(
        std::unique_ptr<Connection> opened,
        Connection::Open(node.address, options_, Connection::Expect::kNothing, Deadline::Infinite(), &node.closing));
    if (prepare_) HOLDFAST_RETURN_IF_ERROR(prepare_(*opened, Deadline::After(options_.connect_timeout)));
    // Calls that run when the node goes get their answers.
    opened->ForgetInterrupt();
    return opened;
  };
  try {
    auto node = std::make_shared<Node>(address, node_options_, open);
    nodes_.emplace(name, node);
    return node;
  } catch (const std::system_error& thrown) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("no descriptor or thread for another node of the Redis Cluster: {}", thrown.what()));
  }
}

std::vector<Cluster::Shipment> Cluster::Distribute(const Pipeline& pipeline, const SlotMap& map,
                                                   const std::vector<Waiting>& waiting, Replies& replies) {
  // By address: whoever needs connections to several nodes takes them in this order, so that two callers cannot wait
  // for each other.
  std::map<std::string, Shipment> shipments;
  const std::size_t any = next_node_.fetch_add(1, std::memory_order_relaxed);
  for (const Waiting& one : waiting) {
    const int slot = pipeline.slot(one.command);
    const Address* address = nullptr;
    if (one.redirected) {
      address = &*one.redirected;
    } else if (slot < 0) {
      address = &map.masters()[any % map.masters().size()];
    } else {
      address = map.MasterOf(static_cast<std::uint16_t>(slot));
    }
    if (address == nullptr) {
      replies[one.command] =
          Error(ErrorCode::kUnavailable, fmt::format("no node of the Redis Cluster serves the slot {}", slot));
      continue;
    }
    // It is still said to be the one, and still cannot be reached: the error stands.
    if (one.tried && *one.tried == *address) continue;
    Shipment& shipment = shipments[address->ToString()];
    if (!shipment.node) {
      Result<std::shared_ptr<Node>> node = NodeAt(*address);
      if (!node.ok()) {
        replies[one.command] = node.error();
        continue;
      }
      shipment.node = std::move(*node);
    }
    (one.asking ? shipment.asking : shipment.plain).push_back(one.command);
  }
  std::vector<Shipment> found;
  for (auto& [address, shipment] : shipments) {
    if (shipment.node) found.push_back(std::move(shipment));
  }
  return found;
}

Cluster::Rest Cluster::Ship(const Pipeline& pipeline, const std::vector<Shipment>& shipments, Deadline deadline,
                            Replies& replies) {
  struct Sent {
    const Shipment* shipment;
    Pool::Lease lease;
    Connection::Exchange exchange;
  };
  Rest rest;
  bool stale = false;
  std::uint64_t asked = 0;
  {
    const std::lock_guard lock(mutex_);
    asked = attempts_;
  }
  std::vector<Sent> sent;
  sent.reserve(shipments.size());
  for (const Shipment& shipment : shipments) {
    const std::vector<std::size_t>& first = shipment.plain.empty() ? shipment.asking : shipment.plain;
    Result<Pool::Lease> lease = shipment.node->pool.Acquire(deadline);
    if (!lease.ok()) {
      for (const auto* some : {&shipment.plain, &shipment.asking}) {
        for (const std::size_t command : *some) {
          replies[command] = lease.error();
          rest.waiting.push_back({command, shipment.node->address, std::nullopt, false});
        }
      }
      stale = true;
      // The first waits to hear whether another has its place; once that was denied the others need not.
      std::uint64_t since = 0;
      const bool fresh = shipment.node->failed_at.compare_exchange_strong(since, asked);
      rest.newer_map = rest.newer_map || fresh || since >= asked;
      continue;
    }
    shipment.node->failed_at.store(0);
    Connection::Exchange exchange = (*lease)->Begin(pipeline, first, shipment.plain.empty(), deadline);
    sent.push_back({&shipment, std::move(*lease), std::move(exchange)});
  }
  const auto take = [&](const std::vector<std::size_t>& commands, Replies answers, std::vector<Refusal> refusals) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      replies[commands[i]] = std::move(answers[i]);
      const Refusal& refusal = refusals[i];
      if (refusal.kind == Refusal::Kind::kNone) continue;
      Waiting again;
      again.command = commands[i];
      if (refusal.kind == Refusal::Kind::kLater) {
        rest.later = true;
      } else {
        again.redirected = refusal.address;
        again.asking = refusal.kind == Refusal::Kind::kAsk;
      }
      stale = stale || refusal.kind != Refusal::Kind::kAsk;
      rest.waiting.push_back(std::move(again));
    }
  };
  for (Sent& each : sent) {
    const Shipment& shipment = *each.shipment;
    std::vector<Refusal> refusals;
    Replies answers = each.lease->Finish(std::move(each.exchange), deadline, &refusals);
    take(shipment.plain.empty() ? shipment.asking : shipment.plain, std::move(answers), std::move(refusals));
    if (!shipment.plain.empty() && !shipment.asking.empty()) {
      refusals.clear();
      answers = each.lease->Finish(each.lease->Begin(pipeline, shipment.asking, true, deadline), deadline, &refusals);
      take(shipment.asking, std::move(answers), std::move(refusals));
    }
    stale = stale || !each.lease->usable();
  }
  if (stale) MarkStale();
  // Commands of one slot keep their order when they go on together.
  std::sort(rest.waiting.begin(), rest.waiting.end(),
            [](const Waiting& a, const Waiting& b) { return a.command < b.command; });
  return rest;
}

Replies Cluster::Run(const Pipeline& pipeline, Deadline deadline) {
  Replies replies;
  std::vector<Waiting> waiting(pipeline.size());
  for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i].command = i;
  replies.assign(pipeline.size(), Error(ErrorCode::kUnavailable, "the command was not sent"));
  std::optional<Deadline> patience;  // from the first refusal on
  Backoff backoff({kFirstPause, kLongestPause, 1.0});
  for (int round = 0; !waiting.empty(); ++round) {
    const Result<Map> map = CurrentMap(deadline);
    if (!map.ok()) {
      for (const Waiting& one : waiting) replies[one.command] = map.error();
      return replies;
    }
    Rest rest = Ship(pipeline, Distribute(pipeline, **map, waiting, replies), deadline, replies);
    if (!patience) patience = deadline.Sooner(Deadline::After(kRedirectPatience));
    if (rest.waiting.empty() || patience->Expired()) return replies;
    if (rest.newer_map) AwaitRefresh(*patience);
    if (rest.later || round >= kHastyRounds) {
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(backoff.Next(), patience->Remaining()));
    }
    waiting = std::move(rest.waiting);
  }
  return replies;
}

Result<std::unique_ptr<Connection>> Cluster::Open(std::string_view key, Deadline deadline, const Interrupt* interrupt) {
  bool old = false;
  {
    const std::lock_guard lock(mutex_);
    old = map_ != nullptr && SteadyClock::now() > refreshed_at_ + kRefreshInterval;
  }
  // Whoever opens one again may have been told that the slot has moved.
  if (old) AwaitRefresh(deadline.Sooner(Deadline::After(kRedirectPatience)));
  HOLDFAST_ASSIGN_OR_RETURN(const Map map, CurrentMap(deadline));
  const std::uint16_t slot = SlotOf(key);
  const Address* address = map->MasterOf(slot);
  if (address == nullptr) {
    return Error(ErrorCode::kUnavailable, fmt::format("no node of the Redis Cluster serves the slot {}", slot));
  }
  return Connection::Open(*address, options_, Connection::Expect::kNothing, deadline, interrupt);
}

pool::Statistics Cluster::statistics() const {
  pool::Statistics all;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, node] : nodes_) {
    const pool::Statistics one = node->pool.statistics();
    all.max += one.max;
    all.idle += one.idle;
    all.in_use += one.in_use;
    all.waiting += one.waiting;
    all.acquired += one.acquired;
    all.waited += one.waited;
    all.timeouts += one.timeouts;
    all.opened += one.opened;
    all.closed += one.closed;
    all.failures += one.failures;
  }
  return all;
}

void Cluster::Close() {
  const std::lock_guard close(close_mutex_);
  std::vector<std::shared_ptr<Node>> nodes;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [name, node] : nodes_) nodes.push_back(node);
  }
  closing_.Trigger();
  wake_.notify_all();
  refreshed_.notify_all();
  if (refresher_.joinable()) refresher_.join();
  for (const std::shared_ptr<Node>& node : nodes) {
    node->closing.Trigger();
    node->pool.Close();
  }
}

}  // namespace holdfast::redis
