// Any entries come back as they were, through any number of threads and any pieces; damage anywhere is found.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/service/durability/checkpoint_bytes.h"

namespace holdfast::durability {
namespace {

constexpr int kRounds = 40;

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }

  // Random bytes, or one byte again and again: what compresses and what does not.
  std::string Bytes(std::size_t most) {
    std::string bytes(Below(most + 1), 'x');
    if (Below(2) == 0) {
      std::generate(bytes.begin(), bytes.end(), [this] { return static_cast<char>(random_()); });
    }
    return bytes;
  }

  storage::Entry Entry() {
    storage::Entry entry;
    // Now and then one that is larger than a block.
    entry.value = Bytes(Below(50) == 0 ? kBlockBytes + 1000 : 30'000);
    entry.version = random_();
    entry.created_at = Time();
    entry.updated_at = Time();
    if (Below(2) == 0) entry.expires_at = Time();
    if (Below(2) == 0) entry.content_type = Bytes(40);
    if (Below(3) == 0) entry.metadata = Bytes(400);
    for (std::uint64_t tags = Below(4); tags > 0; --tags) entry.tags.push_back(Bytes(10));
    return entry;
  }

  std::vector<storage::KeyedEntry> Items(std::size_t most) {
    std::map<std::string, storage::Entry> items;
    for (std::uint64_t count = Below(most); count > 0; --count) items[Bytes(60) + 'k'] = Entry();
    std::vector<storage::KeyedEntry> keyed;
    for (auto& [key, entry] : items) keyed.push_back(Item(key, std::move(entry)));
    return keyed;
  }

 private:
  Timestamp Time() { return Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(random_())}}; }

  std::mt19937_64 random_;
};

TEST(CheckpointProperty, WhatIsWrittenComesBackAndDamageIsFound) {
  const std::uint64_t seed = Seed();
  std::printf("HOLDFAST_SEED=%lu\n", seed);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  Generator generator(seed);
  for (int round = 0; round < kRounds; ++round) {
    const auto items = generator.Items(200);
    const Written written = Write(items, {.threads = 1 + static_cast<int>(generator.Below(3)),
                                          .level = 1 + static_cast<int>(generator.Below(3))});
    const auto read = ReadAll(SourceOf(written.bytes, 1 + generator.Below(200'000)));
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    ASSERT_TRUE(std::equal(read->begin(), read->end(), items.begin(), items.end(), Same)) << "round " << round;

    for (int damages = 0; damages < 5; ++damages) {
      std::string damaged = written.bytes;
      const std::size_t at = generator.Below(damaged.size());
      if (generator.Below(2) == 0) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ (1U << generator.Below(8)));
      }
      const auto refused = ReadAll(SourceOf(damaged));
      ASSERT_FALSE(refused.ok()) << "round " << round << ", byte " << at;
      ASSERT_EQ(refused.error().code(), ErrorCode::kCorruption) << refused.error().ToString();
    }
  }
}

}  // namespace
}  // namespace holdfast::durability
