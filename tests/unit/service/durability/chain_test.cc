// A full backup and the increments on it come to the store that it was, whatever was changed in between, and nothing
// that is damaged, missing or exchanged passes for it.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "service/durability/chain_reader.h"
#include "tests/unit/service/durability/chain_bytes.h"
#include "tests/unit/service/durability/file_size_limit.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::durability {
namespace {

using storage::KeyedEntry;

class ChainTest : public StoreFixture {
 protected:
  void PutNumbered(int from, int to, const std::string& value) {
    for (int i = from; i < to; ++i) Put("key-" + std::to_string(100'000 + i), value + std::to_string(i));
  }
  // Of the store, as a chain should give them.
  std::vector<KeyedEntry> Live() {
    std::vector<KeyedEntry> live;
    const std::string prefix = std::string("main") + '\0';
    const auto snapshot = backend_->OpenSnapshot(storage::KeyRange::Prefix(prefix), Deadline::Infinite()).value();
    for (auto some = snapshot->Next(Deadline::Infinite()); some.ok() && !some->empty();
         some = snapshot->Next(Deadline::Infinite())) {
      for (KeyedEntry& item : *some) {
        item.key.erase(0, prefix.size());
        live.push_back(std::move(item));
      }
    }
    return live;
  }
  void ExpectLive(const WrittenChain& chain, std::size_t piece = 100'000) {
    const auto read = ReadChain(chain, piece);
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    const auto live = Live();
    EXPECT_EQ(read->size(), live.size());
    EXPECT_TRUE(std::equal(read->begin(), read->end(), live.begin(), live.end(), Same));
  }
  static void ExpectRefused(const WrittenChain& chain, const std::string& what) {
    const auto read = ReadChain(chain);
    ASSERT_FALSE(read.ok()) << what;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << what << ": " << read.error().ToString();
  }
};

TEST_F(ChainTest, AnIncrementHasWhatHasChangedAndNothingElse) {
  PutNumbered(0, 2'000, Noise(100, 1));
  WrittenChain chain{ExportNext(*backend_, {})};
  ExpectLive(chain);
  chain.push_back(ExportNext(*backend_, chain));
  EXPECT_EQ(chain.back().summary.data.entries, 0U) << "nothing had changed";
  EXPECT_EQ(chain.back().summary.entries, 2'000U);
  ExpectLive(chain);

  PutNumbered(700, 720, "changed");
  chain.push_back(ExportNext(*backend_, chain));
  EXPECT_GE(chain.back().summary.data.entries, 20U);
  // What changed, and its neighbours in the ranges at the two ends.
  EXPECT_LE(chain.back().summary.data.entries, 20U + 2 * 8 * kRangeEntries);
  EXPECT_LT(chain.back().data.size(), chain.front().data.size() / 10);
  ExpectLive(chain);
}

TEST_F(ChainTest, WhatWasDeletedStaysDeleted) {
  PutNumbered(0, 1'000, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  // At the front, at the end, whole ranges in the middle, and then all.
  for (const auto& [from, to] : {std::pair{0, 40}, {960, 1'000}, {400, 600}, {40, 960}}) {
    for (int i = from; i < to; ++i) Delete("key-" + std::to_string(100'000 + i));
    chain.push_back(ExportNext(*backend_, chain));
    ExpectLive(chain);
  }
  EXPECT_EQ(chain.back().summary.entries, 0U);
  PutNumbered(0, 10, "back");
  chain.push_back(ExportNext(*backend_, chain));
  ExpectLive(chain);
}

// One that is added moves no cut but its own, so nothing behind it is written again.
TEST_F(ChainTest, AnInsertAtTheFrontMovesNoLaterRange) {
  PutNumbered(0, 3'000, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  Put("a-first", "new");
  chain.push_back(ExportNext(*backend_, chain));
  EXPECT_LE(chain.back().summary.data.entries, 1U + 8 * kRangeEntries);
  ExpectLive(chain);
}

TEST_F(ChainTest, LargeEntriesEndTheirRanges) {
  for (int i = 0; i < 40; ++i) Put("large-" + std::to_string(i), Noise(kRangeBytes, static_cast<std::uint32_t>(i)));
  WrittenChain chain{ExportNext(*backend_, {})};
  Put("large-20", "small");
  chain.push_back(ExportNext(*backend_, chain));
  EXPECT_LE(chain.back().summary.data.entries, 3U);
  ExpectLive(chain);
}

// Version and times are part of what a backup holds.
TEST_F(ChainTest, AWriteOfTheSameValueIsAChange) {
  PutNumbered(0, 100, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  clock_.Advance(std::chrono::hours{1});
  Put("key-100050", "v50");
  chain.push_back(ExportNext(*backend_, chain));
  EXPECT_GE(chain.back().summary.data.entries, 1U);
  ExpectLive(chain);
}

TEST_F(ChainTest, ItIsGivenAsAWholeCheckpoint) {
  PutNumbered(0, 500, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  PutNumbered(100, 110, "w");
  chain.push_back(ExportNext(*backend_, chain));
  const auto accepting = [&](Status answer) {
    auto reader = OpenChainReader(chain);
    EXPECT_TRUE(reader.ok());
    return ReadAll(
        CheckpointOf(std::move(reader).value(), SomeHeader(), {.threads = 1}, [answer](const ChainTotals& totals) {
          EXPECT_EQ(totals.entries, 500U);
          return answer;
        }));
  };
  const auto read = accepting({});
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  const auto live = Live();
  EXPECT_TRUE(std::equal(read->begin(), read->end(), live.begin(), live.end(), Same));
  EXPECT_EQ(accepting(Damaged("other totals")).error().code(), ErrorCode::kCorruption);
}

TEST_F(ChainTest, RandomEditsInRandomChainsComeBack) {
  const char* const given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("HOLDFAST_SEED=%lu\n", seed);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t bound) { return random() % bound; };
  for (int round = 0; round < 12; ++round) {
    WrittenChain chain;
    const std::uint64_t keys = 1 + below(1'500);
    for (std::uint64_t links = 1 + below(7); links > 0; --links) {
      for (std::uint64_t edits = below(chain.empty() ? 2'000 : 150); edits > 0; --edits) {
        const std::string key = "k" + std::to_string(below(keys));
        switch (below(4)) {
          case 0:
            Delete(key);
            break;
          case 1:
            Put(key, Noise(below(20) == 0 ? 70'000 : 200, static_cast<std::uint32_t>(random())));
            break;
          default:
            Put(key, std::to_string(random()));
        }
      }
      chain.push_back(ExportNext(*backend_, chain));
      ExpectLive(chain, 1 + below(50'000));
      if (HasFailure()) return;
    }
    // One bit of any of its streams.
    for (int damages = 0; damages < 10; ++damages) {
      WrittenChain damaged = chain;
      const std::size_t place = below(damaged.size() + 1);
      std::string& bytes = place == damaged.size() ? damaged.back().index : damaged[place].data;
      const std::size_t at = below(bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1U << below(8)));
      ExpectRefused(damaged, "round " + std::to_string(round) + ", byte " + std::to_string(at));
    }
  }
}

TEST_F(ChainTest, EveryByteOfASmallChainCounts) {
  PutNumbered(0, 30, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  PutNumbered(3, 4, "w");
  chain.push_back(ExportNext(*backend_, chain));
  ExpectLive(chain);
  const auto streams = [](WrittenChain& of) { return std::vector{&of[0].data, &of[1].data, &of[1].index}; };
  for (std::size_t stream = 0; stream < 3; ++stream) {
    const std::size_t size = streams(chain)[stream]->size();
    for (std::size_t at = 0; at < size; ++at) {
      const std::string what = "stream " + std::to_string(stream) + " at " + std::to_string(at);
      WrittenChain flipped = chain;
      (*streams(flipped)[stream])[at] ^= 1;
      const auto read = ReadChain(flipped);
      ASSERT_FALSE(read.ok()) << what;
      EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << what;
      WrittenChain cut = chain;
      streams(cut)[stream]->resize(at);
      ExpectRefused(cut, what + ", cut");
    }
  }
  ExpectLive(chain);
}

TEST_F(ChainTest, AMissingOrExchangedLinkIsRefused) {
  PutNumbered(0, 300, "v");
  const WrittenLink full = ExportNext(*backend_, {});
  PutNumbered(10, 20, "a");
  const WrittenLink first = ExportNext(*backend_, {full});
  // On the same parent, and of other content.
  PutNumbered(10, 20, "b");
  const WrittenLink other = ExportNext(*backend_, {full});
  PutNumbered(200, 210, "c");
  const WrittenLink second = ExportNext(*backend_, {full, other});
  ExpectLive({full, other, second});

  ExpectRefused({full, second}, "the link between is missing");
  ExpectRefused({full, first, second}, "another increment on the same parent");
  ExpectRefused({full, second, other}, "exchanged");
  WrittenLink old_index = second;
  old_index.index = other.index;
  ExpectRefused({full, other, old_index}, "the index of the one before");
  old_index.index = full.index;
  ExpectRefused({full, other, old_index}, "the index of the full one");
}

TEST_F(ChainTest, AnIncrementIsNoCheckpointAndNoIndex) {
  PutNumbered(0, 30, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  chain.push_back(ExportNext(*backend_, chain));
  for (const std::string& bytes : {chain[1].data, chain[1].index}) {
    EXPECT_EQ(ValidateCheckpoint(SourceOf(bytes)).error().code(), ErrorCode::kFailedPrecondition);
  }
  EXPECT_EQ(RangeIndexReader::Open(SourceOf(chain[0].data)).error().code(), ErrorCode::kFailedPrecondition);
}

// The parent's index is looked at while an increment is made.
TEST_F(ChainTest, NoIncrementIsMadeOnADamagedIndex) {
  PutNumbered(0, 30, "v");
  WrittenChain chain{ExportNext(*backend_, {})};
  std::string index = chain[0].index;
  index[index.size() / 2] = static_cast<char>(index[index.size() / 2] ^ 1);
  IndexedExportOptions options;
  options.link = 1;
  options.parent = SourceOf(index);
  const auto nowhere = [](std::string_view) { return Status(); };
  const auto made = ExportIndexed(*backend_, SomeHeader(), options, {nowhere, nowhere});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace holdfast::durability
