#include "base/redis/slot_map.h"

#include <algorithm>
#include <charconv>

#include "base/redis/reply.h"

namespace holdfast::redis {
namespace {

Error Strange() {
  return {ErrorCode::kUnavailable, "CLUSTER SLOTS: the answer is none that this client knows"};
}

// {"host", port, id, ...}; the host is nil or empty where the node does not know it.
std::optional<Address> AddressOf(const Value& node, const Address& asked) {
  if (!node.IsArray() || node.elements().size() < 2 || !node.elements()[1].IsInteger()) return std::nullopt;
  const Value& host = node.elements()[0];
  const std::int64_t port = node.elements()[1].integer();
  if (!(host.IsString() || host.IsNil()) || port <= 0 || port > 65'535) return std::nullopt;
  Address address;
  const bool known = host.IsString() && !host.text().empty() && host.text() != "?";
  address.host = known ? host.text() : asked.host;
  address.port = static_cast<std::uint16_t>(port);
  return address;
}

// "3999 127.0.0.1:6381", behind the word; an IPv6 address stands without brackets.
std::optional<Address> Elsewhere(std::string_view text, const Address& asked) {
  const std::size_t space = text.find(' ');
  const std::size_t colon = text.rfind(':');
  if (space == std::string_view::npos || colon == std::string_view::npos || colon <= space) return std::nullopt;
  const std::string_view host = text.substr(space + 1, colon - space - 1);
  const std::string_view port = text.substr(colon + 1);
  Address address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc{} || end != port.data() + port.size() || address.port == 0) return std::nullopt;
  address.host = host.empty() || host == "?" ? std::string_view(asked.host) : host;
  return address;
}

}  // namespace

Result<SlotMap> SlotMap::FromClusterSlots(const Value& answer, const Address& asked) {
  if (!answer.IsArray()) return Strange();
  SlotMap map;
  for (const Value& range : answer.elements()) {
    if (!range.IsArray() || range.elements().size() < 3) return Strange();
    const std::vector<Value>& parts = range.elements();
    if (!parts[0].IsInteger() || !parts[1].IsInteger()) return Strange();
    const std::int64_t first = parts[0].integer();
    const std::int64_t last = parts[1].integer();
    if (first < 0 || last < first || last >= kSlots) return Strange();
    const std::optional<Address> master = AddressOf(parts[2], asked);
    if (!master) return Strange();
    auto place = std::find(map.masters_.begin(), map.masters_.end(), *master);
    if (place == map.masters_.end()) {
      if (map.masters_.size() == kMaxClusterNodes) return Strange();
      place = map.masters_.insert(place, *master);
    }
    const auto owner = static_cast<std::uint16_t>(place - map.masters_.begin());
    std::fill(map.owners_.begin() + first, map.owners_.begin() + last + 1, owner);
  }
  if (map.masters_.empty()) {
    return Error(ErrorCode::kUnavailable, "CLUSTER SLOTS: no node serves a slot; the Redis Cluster is not set up yet");
  }
  return map;
}

const Address* SlotMap::MasterOf(std::uint16_t slot) const {
  const std::uint16_t owner = owners_[slot % kSlots];
  return owner == kNobody ? nullptr : &masters_[owner];
}

Refusal RefusalOf(std::string_view line, const Address& asked) {
  const std::string_view word = ErrorWord(line);
  if (word == "MOVED" || word == "ASK") {
    const std::optional<Address> address = Elsewhere(line.substr(std::min(word.size() + 1, line.size())), asked);
    if (!address) return {};
    return {word == "ASK" ? Refusal::Kind::kAsk : Refusal::Kind::kMoved, *address};
  }
  const bool later =
      word == "TRYAGAIN" || word == "CLUSTERDOWN" || word == "READONLY" || word == "MASTERDOWN" || word == "LOADING";
  return {later ? Refusal::Kind::kLater : Refusal::Kind::kNone, {}};
}

}  // namespace holdfast::redis
