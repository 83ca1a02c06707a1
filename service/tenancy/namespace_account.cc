#include "service/tenancy/namespace_account.h"

#include <algorithm>

namespace holdfast::tenancy {
namespace {

using storage::Room;

constexpr std::size_t kMaxNumberBytes = 20;  // "-9223372036854775808"

Amount AmountOfBytes(const storage::KeyPlace& place, std::size_t bytes) {
  if (place.room == Room::kSystem) return {};
  const bool counts_as_key = place.room == Room::kKeys || place.room == Room::kDocuments;
  return {static_cast<std::int64_t>(place.key.size() + bytes), counts_as_key ? 1 : 0};
}

template <typename Tags>
std::size_t SizeOf(const Tags& tags) {
  std::size_t bytes = 0;
  for (const std::string& tag : tags) bytes += tag.size();
  return bytes;
}

}  // namespace

Amount& Amount::operator+=(const Amount& other) {
  bytes += other.bytes;
  keys += other.keys;
  return *this;
}

Amount& Amount::operator-=(const Amount& other) {
  bytes -= other.bytes;
  keys -= other.keys;
  return *this;
}

Amount AmountOf(const storage::KeyPlace& place, const storage::Entry& entry, std::size_t value_bytes) {
  return AmountOfBytes(place, value_bytes + entry.content_type.size() + entry.metadata.size() + SizeOf(entry.tags));
}

Amount AmountOf(const storage::KeyPlace& place, const storage::Operation& operation) {
  switch (operation.kind) {
    case storage::OperationKind::kPut:
      return AmountOfBytes(place, operation.value.size() + operation.content_type.size() + operation.metadata.size() +
                                      SizeOf(operation.tags));
    case storage::OperationKind::kIncrement:
      return AmountOfBytes(place, kMaxNumberBytes);
    default:
      return {};
  }
}

void NamespaceAccount::Add(const Amount& amount) {
  if (amount.bytes != 0) bytes_.fetch_add(amount.bytes, std::memory_order_acq_rel);
  if (amount.keys != 0) keys_.fetch_add(amount.keys, std::memory_order_acq_rel);
}

Amount NamespaceAccount::usage() const {
  return {bytes_.load(std::memory_order_acquire), keys_.load(std::memory_order_acquire)};
}

Quota NamespaceAccount::quota() const {
  const auto read = [](const std::atomic<std::uint64_t>& limit) -> std::optional<std::uint64_t> {
    const std::uint64_t value = limit.load(std::memory_order_relaxed);
    return value == kNone ? std::nullopt : std::optional(value);
  };
  return {read(max_bytes_), read(max_keys_), read(rate_)};
}

void NamespaceAccount::SetQuota(const Quota& quota) {
  const auto write = [](std::atomic<std::uint64_t>& limit, const std::optional<std::uint64_t>& value) {
    limit.store(value.value_or(kNone), std::memory_order_relaxed);
  };
  write(max_bytes_, quota.bytes);
  write(max_keys_, quota.keys);
  write(rate_, quota.requests_per_second);
  limited_.store(quota.bytes || quota.keys, std::memory_order_relaxed);
}

bool NamespaceAccount::Fits(std::int64_t used, std::int64_t reserved, std::int64_t more, std::uint64_t limit) const {
  return more <= 0 || limit == kNone || used + reserved + more <= static_cast<std::int64_t>(limit);
}

bool NamespaceAccount::Reserve(const Amount& amount) {
  const std::lock_guard lock(mutex_);
  // A write is counted before its room is given back, so usage is read behind what is set aside: in between the write
  // is seen twice, never not at all.
  const Amount used = usage();
  if (!Fits(used.bytes, reserved_.bytes, amount.bytes, max_bytes_.load(std::memory_order_relaxed)) ||
      !Fits(used.keys, reserved_.keys, amount.keys, max_keys_.load(std::memory_order_relaxed))) {
    return false;
  }
  reserved_ += {std::max<std::int64_t>(amount.bytes, 0), std::max<std::int64_t>(amount.keys, 0)};
  return true;
}

void NamespaceAccount::Release(const Amount& amount) {
  const std::lock_guard lock(mutex_);
  reserved_ -= {std::max<std::int64_t>(amount.bytes, 0), std::max<std::int64_t>(amount.keys, 0)};
}

std::optional<std::chrono::nanoseconds> NamespaceAccount::TakeRequest(MonotonicTime now) {
  const std::uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == kNone) return std::nullopt;
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t time = std::chrono::nanoseconds(now.time_since_epoch()).count();
  if (rate == 0) return std::chrono::nanoseconds{kSecond};
  const std::int64_t interval = kSecond / static_cast<std::int64_t>(rate);
  std::int64_t next = next_request_.load(std::memory_order_relaxed);
  while (true) {
    const std::int64_t after = std::max(next, time) + interval;
    if (after - time > kSecond) return std::chrono::nanoseconds{after - time - kSecond};
    if (next_request_.compare_exchange_weak(next, after, std::memory_order_relaxed)) return std::nullopt;
  }
}

}  // namespace holdfast::tenancy
