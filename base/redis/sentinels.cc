#include "base/redis/sentinels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace holdfast::redis {
namespace {

Options LoginToSentinels(Options options) {
  options.target.user = options.sentinel_user;
  options.target.password = options.sentinel_password;
  options.password_file = options.sentinel_password_file;
  options.target.database = 0;
  return options;
}

// Names and values in turn, as sentinels describe servers.
std::string FieldOf(const std::vector<Value>& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i].IsString() && fields[i].text() == name && fields[i + 1].IsString()) return fields[i + 1].text();
  }
  return {};
}

template <typename Number>
std::optional<Number> NumberOf(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Address> AddressOf(const std::vector<Value>& fields) {
  Address address;
  address.host = FieldOf(fields, "ip");
  const auto port = NumberOf<std::uint16_t>(FieldOf(fields, "port"));
  if (address.host.empty() || !port || *port == 0) return std::nullopt;
  address.port = *port;
  return address;
}

// `flags` as sentinels list them: "slave,s_down,disconnected".
bool Alive(const std::string& flags) {
  const auto has = [&](std::string_view flag) { return flags.find(flag) != std::string::npos; };
  return !has("s_down") && !has("o_down") && !has("disconnected");
}

}  // namespace

Sentinels::Sentinels(const Options& options) : options_(LoginToSentinels(options)), order_(options.target.addresses) {}

std::vector<Address> Sentinels::InOrder() const {
  std::lock_guard lock(mutex_);
  return order_;
}

void Sentinels::Answered(const Address& sentinel) {
  std::lock_guard lock(mutex_);
  const auto place = std::find(order_.begin(), order_.end(), sentinel);
  if (place != order_.end()) std::rotate(order_.begin(), place, place + 1);
}

Result<std::unique_ptr<Connection>> Sentinels::Open(const Address& sentinel, Deadline deadline,
                                                    const Interrupt* interrupt) const {
  return Connection::Open(sentinel, options_, Connection::Expect::kNothing,
                          deadline.Sooner(Deadline::After(kSentinelPatience)), interrupt);
}

Result<Value> Sentinels::Question(const Address& sentinel, std::string_view about, Deadline deadline,
                                  const Interrupt* interrupt) const {
  const Deadline patience = deadline.Sooner(Deadline::After(kSentinelPatience));
  HOLDFAST_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, Open(sentinel, patience, interrupt));
  return connection->Run(Effect::kRead, {"SENTINEL", about, master()}, patience);
}

Result<KnownMaster> Sentinels::Ask(const Address& sentinel, Deadline deadline, const Interrupt* interrupt) const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Value> fields,
                            AsArray(Question(sentinel, "MASTER", deadline, interrupt), sentinel.ToString()));
  const std::optional<Address> address = AddressOf(fields);
  const auto epoch = NumberOf<std::uint64_t>(FieldOf(fields, "config-epoch"));
  if (!address || !epoch) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("the sentinel {} describes the master in words this client does not know", sentinel.ToString()));
  }
  return KnownMaster{*address, *epoch, false};
}

Result<KnownMaster> Sentinels::FindMaster(std::uint64_t epoch, Deadline deadline, const Interrupt* interrupt) {
  std::optional<KnownMaster> oldest_known;
  std::string reason;
  const std::vector<Address> order = InOrder();
  for (const Address& sentinel : order) {
    Result<KnownMaster> found = Ask(sentinel, deadline, interrupt);
    if (found.ok() && found->epoch >= epoch) {
      Answered(sentinel);
      return found;
    }
    if (found.ok()) {
      if (!oldest_known || found->epoch > oldest_known->epoch) oldest_known = *found;
      continue;
    }
    if (found.error().code() == ErrorCode::kCancelled) return found;
    reason = found.error().message();
    if (deadline.Expired())
      return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while sentinels were asked");
  }
  if (oldest_known && reason.empty()) {
    oldest_known->older = true;
    return *oldest_known;
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("none of the {} sentinels names the master {}: {}", order.size(), master(), reason));
}

Result<std::vector<Address>> Sentinels::FindReplicas(Deadline deadline, const Interrupt* interrupt) {
  Error last(ErrorCode::kUnavailable, "no sentinel was asked");
  for (const Address& sentinel : InOrder()) {
    Result<std::vector<Value>> replicas =
        AsArray(Question(sentinel, "REPLICAS", deadline, interrupt), sentinel.ToString());
    if (!replicas.ok()) {
      last = std::move(replicas).error();
      if (deadline.Expired() || last.code() == ErrorCode::kCancelled) break;
      continue;
    }
    Answered(sentinel);
    std::vector<Address> found;
    for (const Value& replica : *replicas) {
      if (!replica.IsArray()) continue;
      const std::optional<Address> address = AddressOf(replica.elements());
      if (!address || !Alive(FieldOf(replica.elements(), "flags"))) continue;
      if (FieldOf(replica.elements(), "master-link-status") == "ok") found.push_back(*address);
    }
    return found;
  }
  return last;
}

}  // namespace holdfast::redis
