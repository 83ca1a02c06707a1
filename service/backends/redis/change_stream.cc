#include "service/backends/redis/change_stream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

#include "base/log/log.h"
#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
#include "service/backends/redis/script_call.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr std::chrono::milliseconds kConnectPause{250};  // between two attempts

// Two instances never have the same: neither two of one process nor two pods that believe themselves to be pid 1 of the
// same host.
std::string InstanceName() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  std::random_device random;
  return fmt::format("{}:{}:{:08x}{:08x}", host.data(), ::getpid(), random(), random());
}

}  // namespace

ChangeStream::Turn::Turn(std::atomic<int>& turns, KeyLocks& locks, std::span<const std::string_view> keys)
    : turns_(turns), held_(locks.Lock(keys)) {
  turns_.fetch_add(1);
}

ChangeStream::ChangeStream(redis::Client& client, const Scripts& scripts, const RedisOptions& options,
                           std::string_view prefix, Layout& layout, Beats* beats)
    : client_(client),
      scripts_(scripts),
      options_(options),
      prefix_(prefix),
      layout_(layout),
      instance_(InstanceName()),
      beats_(beats),
      showing_interval_(beats == nullptr ? options.instance_timeout / 6
                                         : std::min(options.instance_timeout / 6, options.max_replication_lag / 4)),
      error_(Error(ErrorCode::kUnavailable, "the server has not been reached yet")),
      thread_([this] { Loop(); }) {}

Deadline ChangeStream::Patience() const {
  return Deadline::After(options_.client.connect_timeout);
}

std::shared_ptr<ChangeListener> ChangeStream::listener() const {
  const std::lock_guard lock(mutex_);
  return listener_;
}

void ChangeStream::SetListener(std::shared_ptr<ChangeListener> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

Status ChangeStream::AwaitJoined(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.WaitUntil(), [this] { return joined_ || stopping() || !refused_.ok(); });
  if (!refused_.ok() && !stopping()) return refused_;
  if (joined_ && !stopping()) return {};
  return error_;
}

Status ChangeStream::MayWrite() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::uint64_t ChangeStream::times_joined() const {
  const std::lock_guard lock(mutex_);
  return times_joined_;
}

Status ChangeStream::Rejoin(std::uint64_t times_joined, Deadline deadline) {
  if (this->times_joined() == times_joined) Forget("the server does not know this instance");
  return AwaitJoined(deadline);
}

std::optional<ServerFacts> ChangeStream::AwaitFacts(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.WaitUntil(), [this] { return facts_ || attempted_ || stopping(); });
  return facts_;
}

void ChangeStream::Forget(std::string_view why) {
  const std::lock_guard lock(mutex_);
  joined_ = false;
  alone_joins_.reset();
  error_ = Error(ErrorCode::kUnavailable, fmt::format("{}, and it has not joined again yet: try again", why));
  changed_.notify_all();
}

std::unique_ptr<ChangeStream::Turn> ChangeStream::TakeTurn(std::span<const std::string_view> keys) {
  std::string joins;
  std::string position;
  {
    const std::lock_guard lock(mutex_);
    if (!alone_joins_) return nullptr;
    joins = std::to_string(*alone_joins_);
    position = std::to_string(read_.position);
  }
  auto turn = std::make_unique<Turn>(turns_, locks_, keys);
  turn->joins = std::move(joins);
  turn->position = std::move(position);
  return turn;
}

void ChangeStream::Await(const LogPosition& logged, Deadline deadline) {
  std::unique_lock lock(mutex_);
  // Of another epoch, the listener was or will be told that it has missed changes.
  changed_.wait_until(lock, deadline.WaitUntil(),
                      [&] { return read_.epoch != logged.epoch || read_.position >= logged.position || stopping(); });
}

void ChangeStream::Close() {
  const std::lock_guard close(close_mutex_);
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_release);
    error_ = Error(ErrorCode::kUnavailable, "the redis backend is closed");
  }
  changed_.notify_all();
  interrupt_.Trigger();
  thread_.join();
}

void ChangeStream::Loop() {
  while (!stopping()) {
    Status worked = Work();
    if (!worked.ok() && !stopping()) {
      connection_.reset();
      // A lasting failure is logged once.
      if (!failing_) log::Warn("reading changes failed", {{"error", worked.error().message()}});
      {
        const std::lock_guard lock(mutex_);
        error_ = worked;
        attempted_ = true;
      }
      changed_.notify_all();
    }
    failing_ = !worked.ok();
    if (failing_) Pause(kConnectPause);
  }
  Leave();
}

void ChangeStream::Pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, duration, [this] { return stopping(); });
}

void ChangeStream::Leave() {
  {
    const std::lock_guard lock(mutex_);
    if (!joined_) return;
  }
  const std::string key = prefix_ + "instances";
  const auto left = client_.Run(redis::Effect::kWrite, {"HDEL", key, instance_}, Patience());
  // Who does not leave is taken out after instance_timeout.
  if (!left.ok()) log::Warn("leaving the instances failed", {{"error", left.error().message()}});
}

Status ChangeStream::Work() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(reconnect_, false)) connection_.reset();
  }
  if (!connection_ || !connection_->usable()) {
    HOLDFAST_RETURN_IF_ERROR(Connect());
  } else if (std::chrono::steady_clock::now() >= next_probe_) {
    HOLDFAST_RETURN_IF_ERROR(Probe());
  }
  bool joined = false;
  {
    const std::lock_guard lock(mutex_);
    joined = joined_;
  }
  if (!joined) HOLDFAST_RETURN_IF_ERROR(Join());
  HOLDFAST_RETURN_IF_ERROR(Look());
  return AwaitChange();
}

Status ChangeStream::Connect() {
  HOLDFAST_ASSIGN_OR_RETURN(connection_, client_.OpenDedicated(Patience(), &interrupt_, prefix_));
  const std::uint64_t changes = MasterChanges();
  if (!connection_->usable()) return Error(ErrorCode::kUnavailable, "the Redis master is changing: try again");
  // Even if it is the same again: meanwhile others may have been asked what stands there.
  if (changes != server_.changes) Forget("the master has changed");
  server_.changes = changes;
  return Probe();
}

Status ChangeStream::Probe() {
  HOLDFAST_ASSIGN_OR_RETURN(const ServerFacts facts, AskFacts(*connection_, Patience()));
  Status accepted = CheckFacts(facts, options_.durable);
  // Over every new connection: it may have gone with the server that had it.
  if (accepted.ok() && facts.run_id != server_.run_id) accepted = layout_.Look(Patience());
  {
    const std::lock_guard lock(mutex_);
    refused_ = accepted;
    facts_ = facts;
  }
  changed_.notify_all();
  if (!accepted.ok()) return accepted;
  if (facts.run_id != server_.run_id) Forget("the server is another one or was started again");
  server_.run_id = facts.run_id;
  server_.history = facts.history;
  next_probe_ = std::chrono::steady_clock::now() + kProbeInterval;
  return {};
}

Status ChangeStream::Join() {
  redis::Pipeline pipeline;
  AddScript(pipeline, redis::Effect::kWrite, scripts_.join, options_, prefix_,
            {instance_, server_.run_id, std::to_string(options_.instance_timeout.count() * 1'000), born_,
             std::to_string(held_locks_.Latest())});
  redis::Replies replies = connection_->Run(pipeline, Patience());
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<redis::Value> stands, redis::AsArray(std::move(replies[0]), "join"));
  if (stands.size() != 4 || !stands[3].IsString()) {
    return Error(ErrorCode::kInternal, "join: a reply of another length");
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t epoch, NumberOf(stands[0]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t position, NumberOf(stands[2]));

  const std::shared_ptr<ChangeListener> told = listener();
  const std::string& born = stands[3].text();
  if (!born_.empty()) {
    log::Warn("this instance joins again and may have missed changes", {{"instance", instance_}});
    if (told) told->OnMissed();
    if (born != born_) {
      log::Error("the server has lost its data: no lock is granted until those that were held have expired",
                 {{"instance", instance_}});
    }
  }
  born_ = born;
  shown_ = position;
  next_showing_ = std::chrono::steady_clock::now();
  if (beats_ == nullptr) next_showing_ += showing_interval_;
  {
    const std::lock_guard lock(mutex_);
    joined_ = true;
    joined_to_ = server_;
    ++times_joined_;
    read_ = {epoch, position};
    alone_joins_.reset();
    error_ = {};
  }
  changed_.notify_all();
  return {};
}

Status ChangeStream::Look() {
  LogPosition read;
  {
    const std::lock_guard lock(mutex_);
    if (!joined_) return {};
    read = read_;
  }
  // The stream is cut behind what all have read; on a server at rest nothing is written for long.
  const auto now = std::chrono::steady_clock::now();
  const bool show = read.position != shown_ || now >= next_showing_;
  redis::Pipeline pipeline;
  AddScript(pipeline, show ? redis::Effect::kWrite : redis::Effect::kRead, scripts_.look, options_, prefix_,
            {instance_, show ? std::to_string(read.position) : std::string(),
             std::to_string(options_.instance_timeout.count() * 1'000)});
  redis::Replies replies = connection_->Run(pipeline, Patience());
  HOLDFAST_ASSIGN_OR_RETURN(const StreamStand stand, StandOf(std::move(replies[0])));
  if (!stand.here) {
    Forget("this instance was taken for gone");
    return {};
  }
  if (show) {
    shown_ = read.position;
    next_showing_ = now + showing_interval_;
    if (beats_ != nullptr) beats_->Sent(stand.row, now);
  }
  if (stand.epoch != read.epoch || stand.position < read.position) {
    Forget("the server was started again");
    return {};
  }
  {
    // That nothing was logged which the listener has not heard of is looked at with each write.
    const std::lock_guard lock(mutex_);
    if (!joined_) return {};
    if (stand.instances == 1) {
      alone_joins_ = stand.joins;
    } else {
      alone_joins_.reset();
    }
  }
  return stand.position > read.position ? Read() : Status();
}

Status ChangeStream::AwaitChange() {
  LogPosition read;
  {
    const std::lock_guard lock(mutex_);
    if (!joined_) return {};
    read = read_;
  }
  redis::Pipeline pipeline;
  const std::string key = prefix_ + "changes";
  const std::string block = std::to_string(options_.poll_interval.count());
  const std::string behind = fmt::format("{}-{}", read.epoch, read.position);
  pipeline.Add(redis::Effect::kRead, {"XREAD", "COUNT", "1", "BLOCK", block, "STREAMS", key, behind});
  redis::Replies replies =
      connection_->Run(pipeline, Deadline::After(options_.poll_interval + options_.command_timeout));
  if (!replies[0].ok()) return std::move(replies[0]).error();
  return replies[0]->IsNil() ? Status() : Read();
}

Status ChangeStream::Read() {
  while (!stopping()) {
    LogPosition read;
    {
      const std::lock_guard lock(mutex_);
      if (!joined_) return {};
      read = read_;
    }
    redis::Pipeline pipeline;
    AddScript(pipeline, redis::Effect::kRead, scripts_.read_changes, options_, prefix_,
              {std::to_string(read.epoch), std::to_string(read.position)});
    redis::Replies replies = connection_->Run(pipeline, Deadline::After(options_.command_timeout));
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<redis::Value> changes, redis::AsArray(std::move(replies[0]), "changes"));
    if (changes.empty()) return {};
    for (redis::Value& change : changes) HOLDFAST_RETURN_IF_ERROR(Deliver(change));
  }
  return {};
}

Status ChangeStream::Deliver(redis::Value& change) {
  const auto damaged = [] { return Error(ErrorCode::kCorruption, "a row of the change stream is none of ours"); };
  if (!change.IsArray() || change.elements().size() != 2 || !change.elements()[0].IsString() ||
      !change.elements()[1].IsArray()) {
    return damaged();
  }
  const std::string& id = change.elements()[0].text();
  const std::vector<redis::Value>& fields = change.elements()[1].elements();
  const auto text = [](const redis::Value& value) { return value.IsString(); };
  if (fields.size() != 8 || !std::all_of(fields.begin(), fields.end(), text)) return damaged();
  LogPosition at;
  const auto dash = std::from_chars(id.data(), id.data() + id.size(), at.epoch);
  if (dash.ec != std::errc{} || dash.ptr == id.data() + id.size()) return damaged();
  const auto end = std::from_chars(dash.ptr + 1, id.data() + id.size(), at.position);
  if (end.ec != std::errc{}) return damaged();

  LogPosition read;
  {
    const std::lock_guard lock(mutex_);
    // What is left of the page belongs to a time that this instance has not joined in.
    if (!joined_) return {};
    read = read_;
  }
  if (at.epoch != read.epoch) {
    Forget("the server was started again");
    return {};
  }
  if (at.position <= read.position) return {};
  const std::shared_ptr<ChangeListener> told = listener();
  const std::string& key = fields[1].text();
  EntryPtr before;
  EntryPtr after;
  if (!fields[5].text().empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(before, DecodeRecord(fields[5].text()));
  }
  if (!fields[7].text().empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(after, DecodeRecord(fields[7].text()));
  }
  const ChangeCause cause = fields[3].text() == "1" ? ChangeCause::kExpired : ChangeCause::kOperation;
  {
    // A writer that was alone may have changed the same key before this, and not have told of it yet.
    std::optional<KeyLocks::Held> held;
    const std::string_view locked = key;
    if (turns_.load() > 0) held.emplace(locks_.Lock(std::span(&locked, 1)));
    if (told && at.position != read.position + 1) {
      log::Warn("changes were cut off the stream before this instance had read them",
                {{"instance", instance_}, {"missed", at.position - read.position - 1}});
      told->OnMissed();
    }
    held_locks_.Note(key, after);
    if (told) told->OnChange(key, before, after, cause);
  }
  {
    const std::lock_guard lock(mutex_);
    if (read_.epoch == at.epoch) read_.position = at.position;
  }
  changed_.notify_all();
  return {};
}

}  // namespace holdfast::storage::redis_backend
