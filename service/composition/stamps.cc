#include "service/composition/stamps.h"

#include <algorithm>
#include <functional>
#include <random>

namespace holdfast::composition {
namespace {

std::uint64_t AnyNumber() {
  std::random_device device;
  constexpr unsigned kHalf = 32;
  return std::uint64_t{device()} << kHalf | device();
}

}  // namespace

Stamps::Stamps(std::size_t stripes)
    : mask_(stripes - 1),
      stripes_(std::make_unique<std::atomic<std::uint64_t>[]>(stripes)),
      origin_(AnyNumber()),
      generation_(origin_) {}

std::size_t Stamps::StripeOf(std::string_view key) const {
  return std::hash<std::string_view>{}(key)&mask_;
}

std::optional<Stamp> Stamps::Current(std::string_view key) const {
  if (clearing_.load(std::memory_order_acquire) != 0) return std::nullopt;
  const std::uint64_t generation = generation_.load(std::memory_order_acquire);
  const std::uint64_t word = stripes_[StripeOf(key)].load(std::memory_order_acquire);
  if (WritersOf(word) != 0) return std::nullopt;
  return Stamp{generation, EpochOf(word)};
}

Stamps::Writing::Writing(Stamps& stamps, std::span<const std::string_view> keys)
    : stamps_(stamps), generation_(stamps.generation_.load(std::memory_order_acquire)) {
  std::vector<std::size_t> stripes;
  stripes.reserve(keys.size());
  for (const std::string_view key : keys) stripes.push_back(stamps.StripeOf(key));
  // Once each: the count of writers is one of calls, and has room for those.
  std::sort(stripes.begin(), stripes.end());
  stripes.erase(std::unique(stripes.begin(), stripes.end()), stripes.end());
  held_.reserve(stripes.size());
  for (const std::size_t stripe : stripes) {
    const std::uint64_t before = stamps.stripes_[stripe].fetch_add(kEpoch + kWriter, std::memory_order_acq_rel);
    held_.push_back({stripe, before + kEpoch + kWriter, std::nullopt});
  }
}

const Stamps::Writing::Held* Stamps::Writing::Find(std::string_view key) const {
  const std::size_t stripe = stamps_.StripeOf(key);
  const auto found = std::lower_bound(held_.begin(), held_.end(), stripe,
                                      [](const Held& held, std::size_t wanted) { return held.stripe < wanted; });
  return found != held_.end() && found->stripe == stripe ? &*found : nullptr;
}

bool Stamps::Writing::Covers(std::string_view key) const {
  return Find(key) != nullptr;
}

void Stamps::Writing::End() {
  if (ended_) return;
  ended_ = true;
  for (Held& held : held_) {
    const std::uint64_t before = stamps_.stripes_[held.stripe].fetch_add(kEpoch - kWriter, std::memory_order_acq_rel);
    if (before == held.begun && WritersOf(before) == 1) held.left = EpochOf(before + kEpoch - kWriter);
  }
}

std::optional<Stamp> Stamps::Writing::Left(std::string_view key) const {
  const Held* const held = Find(key);
  if (held == nullptr || !held->left) return std::nullopt;
  return Stamp{generation_, *held->left};
}

void Stamps::Changed(std::string_view key) {
  stripes_[StripeOf(key)].fetch_add(kEpoch, std::memory_order_acq_rel);
}

}  // namespace holdfast::composition
