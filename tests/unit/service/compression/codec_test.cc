#include "service/compression/codec.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace holdfast::compression {
namespace {

constexpr Codec kCodecs[] = {Codec::kLz4, Codec::kSnappy, Codec::kZstd};
constexpr std::size_t kMost = 10u << 20;

std::string Text(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i)
    text.append("{\"severity\":\"high\",\"id\":").append(std::to_string(i)).append("},");
  text.resize(size);
  return text;
}

std::string Noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string noise(size, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

std::uint64_t Seed() {
  const char* seed = std::getenv("HOLDFAST_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

TEST(Compression, WhatWasCompressedComesBackOnEveryCodecAndLevel) {
  for (const Codec codec : kCodecs) {
    for (int level = 0; level <= MaxLevel(codec); ++level) {
      for (const std::size_t size : {std::size_t{1024}, std::size_t{4096}, std::size_t{100'000}}) {
        const std::string text = Text(size);
        const std::optional<std::string> small = Compress({codec, level, 100}, text);
        ASSERT_TRUE(small) << CodecName(codec) << " " << level << " " << size;
        EXPECT_LT(small->size(), text.size() / 2);
        const Result<std::string> back = Decompress(codec, *small, text.size(), kMost);
        ASSERT_TRUE(back.ok()) << back.error().message();
        EXPECT_TRUE(*back == text);
      }
    }
  }
}

TEST(Compression, WhatDoesNotPayIsLeftAlone) {
  for (const Codec codec : kCodecs) {
    EXPECT_FALSE(Compress({codec, 0, 1000}, Text(999)));
    EXPECT_TRUE(Compress({codec, 0, 1000}, Text(1000)));
    EXPECT_FALSE(Compress({codec, 0, 1}, Noise(10'000, 1)));
    EXPECT_FALSE(Compress({codec, 0, 0}, ""));
  }
  EXPECT_FALSE(Compress({Codec::kNone, 0, 0}, Text(10'000)));
}

TEST(Compression, ASizeThatLiesIsRefusedBeforeAnythingIsAllocated) {
  for (const Codec codec : kCodecs) {
    const std::string text = Text(10'000);
    const std::string small = *Compress({codec, 0, 0}, text);
    for (const std::size_t size :
         {std::size_t{0}, text.size() - 1, text.size() + 1, kMost, kMost + 1, std::size_t{1} << 40, ~std::size_t{0}}) {
      const Result<std::string> back = Decompress(codec, small, size, kMost);
      ASSERT_FALSE(back.ok()) << CodecName(codec) << " " << size;
      EXPECT_EQ(ErrorCode::kCorruption, back.error().code());
    }
    EXPECT_FALSE(Decompress(codec, small, text.size(), text.size() - 1).ok());
    // A terabyte cannot stand in ten bytes, whatever the limit says.
    EXPECT_FALSE(Decompress(codec, "0123456789", std::size_t{1} << 40, ~std::size_t{0}).ok());
  }
  EXPECT_FALSE(Decompress(Codec::kNone, "abc", 3, kMost).ok());
  EXPECT_FALSE(Decompress(static_cast<Codec>(9), "abc", 3, kMost).ok());
}

// Not "comes back wrong is impossible": that is the entry's checksum's work. Here: no crash, no other size, no other
// error.
TEST(Compression, DamagedAndRandomBytesAreSurvived) {
  const std::uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  RecordProperty("seed", std::to_string(seed));
  for (const Codec codec : kCodecs) {
    const std::string text = Text(5000);
    const std::string whole = *Compress({codec, 0, 0}, text);
    for (int i = 0; i < 3000; ++i) {
      std::string damaged = i % 3 == 0 ? Noise(random() % 300, random()) : whole;
      if (i % 3 == 1) damaged.resize(random() % whole.size());
      if (i % 3 == 2) damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
      const Result<std::string> back = Decompress(codec, damaged, text.size(), kMost);
      if (back.ok()) {
        EXPECT_EQ(text.size(), back->size()) << "seed " << seed;
      } else {
        EXPECT_EQ(ErrorCode::kCorruption, back.error().code()) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::compression
