// Locks: acquire, extend, look, release. An election is a lock by another name; its handlers use the same functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/lease_requests.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"
#include "service/coordination/store_coordination.h"
#include "service/execution/executor.h"
#include "service/json/json_value.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

using coordination::Acquired;
using coordination::Grant;
using coordination::Holder;
using coordination::LockService;

constexpr std::chrono::seconds kDefaultTtl{30};
// How long returning a lock that nobody heard of may take.
constexpr std::chrono::seconds kReturnTimeout{10};

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<json::JsonValue> ReadBody(const Exchange& exchange, std::span<const std::string_view> members) {
  HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue json, exchange.ParseBody());
  if (json.kind != json::JsonValue::Kind::kObject) return Invalid("the body is not an object");
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, members, "the body"));
  return json;
}

Result<std::chrono::microseconds> ReadTime(const json::JsonValue& json, std::string_view name,
                                           std::chrono::microseconds fallback) {
  const json::JsonValue* const value = json.Find(name);
  if (value == nullptr) return fallback;
  if (value->kind != json::JsonValue::Kind::kString) {
    return Invalid(fmt::format("{}: is not a string; write a duration like \"30s\"", name));
  }
  // Its own words: the parser's quote what was sent, which may be anything.
  const auto time = ParseDuration(value->text);
  if (!time.ok())
    return Invalid(fmt::format("{}: is not a duration; write one like \"500ms\", \"30s\" or \"5m\"", name));
  return *time;
}

coordination::Locks& KeptLocks(const Exchange& exchange) {
  return exchange.store().coordination->kept_locks();
}

Result<std::chrono::microseconds> ReadTtl(const Exchange& exchange, const json::JsonValue& json) {
  const std::chrono::microseconds longest = KeptLocks(exchange).max_ttl();
  HOLDFAST_ASSIGN_OR_RETURN(const auto ttl,
                            ReadTime(json, "ttl", std::min<std::chrono::microseconds>(kDefaultTtl, longest)));
  if (ttl <= std::chrono::microseconds::zero() || ttl > longest) {
    return Invalid(fmt::format("ttl: must be above zero and at most {}{}", FormatDuration(longest),
                               longest < storage::kMaxTtl ? " (setting locks.quorum_max_ttl)" : ""));
  }
  return ttl;
}

Result<std::string> ReadText(const json::JsonValue& json, std::string_view name, std::size_t limit,
                             std::string_view setting) {
  const json::JsonValue* const value = json.Find(name);
  if (value == nullptr || value->kind != json::JsonValue::Kind::kString || value->text.empty()) {
    return Invalid(fmt::format("{}: is missing, empty or not a string", name));
  }
  if (value->text.size() > limit) {
    return Invalid(fmt::format("{}: has {} bytes; the limit is {}{}", name, value->text.size(), limit, setting));
  }
  return value->text;
}

Result<coordination::AcquireRequest> ReadAcquire(Exchange& exchange, std::string name) {
  constexpr std::array<std::string_view, 3> kMembers = {"owner", "ttl", "wait"};
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue json, ReadBody(exchange, kMembers));
  const coordination::CoordinationOptions& options = exchange.store().coordination->options();
  HOLDFAST_ASSIGN_OR_RETURN(std::string owner,
                            ReadText(json, "owner", options.max_owner_bytes, " (setting locks.owner)"));
  HOLDFAST_ASSIGN_OR_RETURN(const auto ttl, ReadTtl(exchange, json));
  HOLDFAST_ASSIGN_OR_RETURN(const auto wait, ReadTime(json, "wait", std::chrono::microseconds::zero()));
  const auto longest = exchange.context().options.maximum_timeout;
  if (wait > longest) {
    return Invalid(fmt::format("wait: is above the maximum of {} (setting timeouts.maximum); ask again when it is over",
                               FormatDuration(longest)));
  }
  // Who says how long he waits need not say it twice.
  const Deadline deadline = exchange.headers().timeout
                                ? exchange.deadline()
                                : Deadline::After(wait + exchange.context().options.default_timeout);
  execution::Executor* const executor = exchange.store().executor.get();
  return coordination::AcquireRequest{
      exchange.tenant(),
      std::move(name),
      std::move(owner),
      ttl,
      wait,
      deadline,
      [executor](std::function<void()> task) { return executor->Run(std::move(task)); }};
}

// An acquire whose client may leave: then its place in the queue is given up, and so is a lock that was granted and
// that it will never hear of. Thread-safe.
class Acquisition {
 public:
  Acquisition(const Exchange& exchange, std::string name)
      : coordination_(exchange.store().coordination),
        executor_(exchange.store().executor),
        tenant_(exchange.shared_tenant()),
        name_(std::move(name)) {}

  void Queued(const LockService::Ticket& ticket) {
    std::unique_lock lock(mutex_);
    ticket_ = ticket;
    if (!gone_) return;
    lock.unlock();
    coordination_->locks().Cancel(ticket);
  }

  void Granted(const coordination::Lease& lease) {
    std::unique_lock lock(mutex_);
    lease_ = lease;
    if (!gone_) return;
    lock.unlock();
    Return();
  }

  void Gone() {
    std::unique_lock lock(mutex_);
    gone_ = true;
    const bool granted = lease_.has_value();
    const LockService::Ticket ticket = ticket_;
    lock.unlock();
    if (granted) return Return();
    // When this comes too late, Granted sees that the client has gone.
    coordination_->locks().Cancel(ticket);
  }

 private:
  // By whichever of Granted and Gone comes last. A store that has no room for the work leaves the lock to its TTL.
  void Return() {
    executor_->Run([tenant = tenant_, coordination = coordination_, name = name_, lease = *lease_] {
      const auto released = coordination->kept_locks().Release(*tenant, name, lease, Deadline::After(kReturnTimeout));
      coordination->locks().Count("release", !released.ok() ? "error" : *released ? "ok" : "lost");
    });
  }

  const std::shared_ptr<coordination::StoreCoordination> coordination_;
  const std::shared_ptr<execution::Executor> executor_;
  const std::shared_ptr<const storage::TenantView> tenant_;
  const std::string name_;
  std::mutex mutex_;
  bool gone_ = false;                         // guarded by mutex_
  std::optional<coordination::Lease> lease_;  // ..., and constant once it is there
  LockService::Ticket ticket_;                // guarded by mutex_
};

void SendGrant(Exchange& exchange, int status, const Grant& grant) {
  json::JsonWriter json;
  json.BeginObject().Key("lease").String(grant.lease).Key("token").Unsigned(grant.token);
  json.Key("expires_at").String(FormatTimestamp(grant.expires_at)).EndObject();
  exchange.SendJson(status, json.Take());
}

void FailHeld(Exchange& exchange, const Holder& holder) {
  Problem problem = Problem::Of("held", "it is held by somebody else; wait for it with \"wait\", or try again later");
  problem.holder = IsValidUtf8(holder.owner) ? holder.owner : Base64Encode(holder.owner);
  const auto remaining =
      std::chrono::ceil<std::chrono::seconds>(holder.expires_at - exchange.store().coordination->clock().Now());
  constexpr std::int64_t kLongest = 3600;
  problem.retry_after_seconds = static_cast<int>(std::clamp<std::int64_t>(remaining.count(), 1, kLongest));
  exchange.Fail(problem);
}

void AnswerAcquired(Exchange& exchange, Acquired result) {
  if (!result.ok()) return exchange.Fail(result.error());
  if (const auto* const grant = std::get_if<Grant>(&*result)) return SendGrant(exchange, 201, *grant);
  FailHeld(exchange, std::get<Holder>(*result));
}

void FailLost(Exchange& exchange) {
  exchange.Fail("failed_precondition",
                "the lease does not hold it: it has expired, was released, or never was; acquire again");
}

void Count(Exchange& exchange, std::string_view operation, bool ok, bool held) {
  exchange.store().coordination->locks().Count(operation, !ok ? "error" : held ? "ok" : "lost");
}

}  // namespace

void AcquireLease(ExchangePtr exchange, std::string name) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  auto request = ReadAcquire(*exchange, name);
  if (!request.ok()) return exchange->Fail(request.error());
  const auto acquisition = std::make_shared<Acquisition>(*exchange, std::move(name));
  // Whoever has an Idempotency-Key may come back for the answer.
  if (exchange->once() == nullptr) exchange->WhenGone([acquisition] { acquisition->Gone(); });
  LockService& locks = exchange->store().coordination->locks();
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  acquisition->Queued(locks.Acquire(std::move(request).value(), [shared, acquisition](Acquired result) {
    const auto* const grant = result.ok() ? std::get_if<Grant>(&*result) : nullptr;
    if (grant != nullptr) acquisition->Granted(grant->lease);
    AnswerAcquired(*shared, std::move(result));
  }));
}

void ExtendLease(ExchangePtr exchange, std::string name) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  constexpr std::array<std::string_view, 2> kMembers = {"lease", "ttl"};
  constexpr std::size_t kLongestLease = 256;
  const auto json = ReadBody(*exchange, kMembers);
  if (!json.ok()) return exchange->Fail(json.error());
  const auto lease = ReadText(*json, "lease", kLongestLease, "");
  if (!lease.ok()) return exchange->Fail(lease.error());
  const auto ttl = ReadTtl(*exchange, *json);
  if (!ttl.ok()) return exchange->Fail(ttl.error());
  RunOnPool(std::move(exchange), [name = std::move(name), lease = *lease, ttl = *ttl](Exchange& running) {
    const auto grant = KeptLocks(running).Extend(running.tenant(), name, lease, ttl, running.deadline());
    Count(running, "extend", grant.ok(), grant.ok() && grant->has_value());
    if (!grant.ok()) return running.Fail(grant.error());
    if (!grant->has_value()) return FailLost(running);
    SendGrant(running, 200, **grant);
  });
}

void ReleaseLease(ExchangePtr exchange, std::string name) {
  const std::string* const lease = exchange->query().Find("lease");
  if (lease == nullptr || lease->empty()) {
    return exchange->Fail("invalid_argument", "the query parameter \"lease\" is missing; give the one that holds it");
  }
  RunOnPool(std::move(exchange), [name = std::move(name), lease = *lease](Exchange& running) {
    const auto released = KeptLocks(running).Release(running.tenant(), name, lease, running.deadline());
    Count(running, "release", released.ok(), released.ok() && *released);
    if (!released.ok()) return running.Fail(released.error());
    if (!*released) return FailLost(running);
    Response response;
    response.status = 204;
    running.Send(std::move(response));
  });
}

void WriteHolder(const Holder& holder, json::JsonWriter* json) {
  const bool is_text = IsValidUtf8(holder.owner);
  const std::string owner = is_text ? holder.owner : Base64Encode(holder.owner);
  json->BeginObject().Key("holder").String(owner).Key("owner").String(owner);
  if (!is_text) json->Key("encoding").String("base64");
  json->Key("token").Unsigned(holder.token);
  json->Key("expires_at").String(FormatTimestamp(holder.expires_at)).EndObject();
}

void PostLock(ExchangePtr exchange) {
  std::string name = std::move(exchange->key());
  AcquireLease(std::move(exchange), std::move(name));
}

void PutLock(ExchangePtr exchange) {
  std::string name = std::move(exchange->key());
  ExtendLease(std::move(exchange), std::move(name));
}

void DeleteLock(ExchangePtr exchange) {
  std::string name = std::move(exchange->key());
  ReleaseLease(std::move(exchange), std::move(name));
}

void GetLock(ExchangePtr exchange) {
  RunOnPool(std::move(exchange), [](Exchange& running) {
    const auto holder = KeptLocks(running).FindHolder(running.tenant(), running.key(), running.deadline());
    if (!holder.ok()) return running.Fail(holder.error());
    if (!holder->has_value()) return running.Fail("not_found", "nobody holds this lock");
    json::JsonWriter json;
    WriteHolder(**holder, &json);
    running.SendJson(200, json.Take());
  });
}

}  // namespace holdfast::api
