// Whether what was read of a key may still be shown: every key belongs to a stripe, and every change of a key, and
// every write of one that is about to begin, gives its stripe a new epoch. A copy carries the epoch that stood before
// it was read from the system of record, and counts as long as its stripe has that epoch and nobody is writing to the
// stripe. So
//
//   a change invalidates a copy wherever it lies, without reaching for it: a cache that is slow, gone or was emptied
//   cannot make an answer wrong;
//   a late fill is refused by itself: what it brings carries an epoch that has passed.
//
// The price is that a change also invalidates copies of the other keys of its stripe. Versions alone would not do: a
// touch changes an entry and keeps its version, and a delete leaves none behind to compare with.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "service/composition/cached_copy.h"

namespace holdfast::composition {

// Thread-safe, without locks.
class Stamps {
 public:
  // `stripes` is a power of two; each takes eight bytes.
  explicit Stamps(std::size_t stripes);

  // Different in every process, at any time: where these stamps began.
  std::uint64_t origin() const { return origin_; }
  // What a copy has to carry to be shown now; nothing while the key's stripe is written to.
  std::optional<Stamp> Current(std::string_view key) const;

  // Stands while keys are written, from before anything of it may show. Afterwards nothing that was read before counts.
  class Writing {
   public:
    Writing(Stamps& stamps, std::span<const std::string_view> keys);
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() { End(); }

    // Whether the key's stripe is one of those that are written to.
    bool Covers(std::string_view key) const;
    // Idempotent.
    void End();
    // Behind End: what a copy of the key as this write left it has to carry. Nothing when others wrote to its stripe,
    // or were heard of, meanwhile: who was last is not known here.
    std::optional<Stamp> Left(std::string_view key) const;

   private:
    struct Held {
      std::size_t stripe = 0;
      std::uint64_t begun = 0;            // the stripe's word as this write made it
      std::optional<std::uint64_t> left;  // epoch, when nobody else was there
    };
    const Held* Find(std::string_view key) const;

    Stamps& stamps_;
    std::uint64_t generation_;
    std::vector<Held> held_;  // by stripe
    bool ended_ = false;
  };

  // Stands while entries of a range are deleted, whose keys are not known beforehand: no copy counts.
  class Clearing {
   public:
    explicit Clearing(Stamps& stamps) : stamps_(stamps) { stamps_.clearing_.fetch_add(1, std::memory_order_acq_rel); }
    Clearing(const Clearing&) = delete;
    Clearing& operator=(const Clearing&) = delete;
    ~Clearing() { stamps_.clearing_.fetch_sub(1, std::memory_order_acq_rel); }

   private:
    Stamps& stamps_;
  };

  // A change of the key was heard of.
  void Changed(std::string_view key);
  // No copy counts any more, of no key.
  void ForgetAll() { generation_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  // The lower bits count the writers, the upper ones are the epoch: both change in one step.
  static constexpr unsigned kWriterBits = 20;
  static constexpr std::uint64_t kWriter = 1;
  static constexpr std::uint64_t kEpoch = std::uint64_t{1} << kWriterBits;

  static std::uint64_t EpochOf(std::uint64_t word) { return word >> kWriterBits; }
  static std::uint64_t WritersOf(std::uint64_t word) { return word % kEpoch; }
  std::size_t StripeOf(std::string_view key) const;

  const std::size_t mask_;
  const std::unique_ptr<std::atomic<std::uint64_t>[]> stripes_;
  const std::uint64_t origin_;
  // Begins there: copies of an earlier process count for nothing.
  std::atomic<std::uint64_t> generation_;
  std::atomic<int> clearing_{0};
};

}  // namespace holdfast::composition
