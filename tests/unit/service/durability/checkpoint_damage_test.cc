// One flipped byte, or any truncation, anywhere: `corruption`, never a crash, never bytes that were not written.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/service/durability/checkpoint_bytes.h"

namespace holdfast::durability {
namespace {

// Three blocks.
std::vector<storage::KeyedEntry> Items() {
  std::vector<storage::KeyedEntry> items;
  for (int i = 0; i < 6; ++i) {
    storage::Entry entry;
    entry.value = "value " + std::to_string(i);
    entry.version = static_cast<storage::Version>(i + 1);
    entry.metadata = R"({"i":1})";
    entry.tags = {"a"};
    items.push_back(Item("default" + std::to_string(i), std::move(entry)));
  }
  return items;
}

std::string SmallBlocks(const std::vector<storage::KeyedEntry>& items) {
  std::string bytes = EncodeHeader(SomeHeader());
  CheckpointSummary summary;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    std::string entries;
    for (std::size_t j = i; j < i + 2; ++j) {
      AppendEntry(&entries, items[j].key, *items[j].entry);
      ++summary.entries;
      summary.entry_bytes += items[j].key.size() + items[j].value_bytes;
    }
    bytes += EncodeBlock(entries, 2, 1);
    ++summary.blocks;
  }
  summary.file_bytes = bytes.size() + kFooterBytes;
  std::string head = EncodeFooterHead(summary);
  Sha256Stream digest;
  digest.Add(bytes);
  digest.Add(head);
  return bytes + EncodeFooter(std::move(head), digest.Finish());
}

// Reads as far as it goes; whatever comes out is of `items`.
Status ReadDamaged(std::string_view bytes, const std::vector<storage::KeyedEntry>& items) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(SourceOf(bytes)));
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto some, reader.Next());
    if (some.empty()) return {};
    for (const storage::KeyedEntry& item : some) {
      EXPECT_TRUE(std::any_of(items.begin(), items.end(),
                              [&item](const storage::KeyedEntry& written) { return Same(item, written); }))
          << "wrong bytes under " << item.key;
    }
  }
}

class CheckpointDamage : public testing::Test {
 protected:
  const std::vector<storage::KeyedEntry> items_ = Items();
  const std::string sound_ = SmallBlocks(items_);

  void ExpectCorrupt(std::string_view bytes, const std::string& what) const {
    const Status read = ReadDamaged(bytes, items_);
    ASSERT_FALSE(read.ok()) << what;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << what << ": " << read.error().message();
  }
};

TEST_F(CheckpointDamage, UndamagedOneReads) {
  const Status read = ReadDamaged(sound_, items_);
  EXPECT_TRUE(read.ok()) << read.error().ToString();
}

TEST_F(CheckpointDamage, EveryFlippedBitIsCorruption) {
  for (std::size_t at = 0; at < sound_.size(); ++at) {
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string damaged = sound_;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      ExpectCorrupt(damaged, "byte " + std::to_string(at) + " with " + std::to_string(mask));
    }
  }
}

TEST_F(CheckpointDamage, EveryTruncationIsCorruption) {
  for (std::size_t size = 0; size < sound_.size(); ++size) {
    ExpectCorrupt(std::string_view(sound_).substr(0, size), "cut off at " + std::to_string(size));
  }
}

TEST_F(CheckpointDamage, BytesBehindTheEndAreCorruption) {
  ExpectCorrupt(sound_ + '\0', "one more byte");
  ExpectCorrupt(sound_ + sound_, "twice the same");
}

// Each block is sound by itself here.
TEST_F(CheckpointDamage, BlocksTakenOutOrDoubledOrExchangedAreCorruption) {
  const std::size_t header = EncodeHeader(SomeHeader()).size();
  std::string entries;
  AppendEntry(&entries, items_[0].key, *items_[0].entry);
  AppendEntry(&entries, items_[1].key, *items_[1].entry);
  const std::size_t block = EncodeBlock(entries, 2, 1).size();
  const std::string first = sound_.substr(header, block);
  const std::string second = sound_.substr(header + block, block);
  const std::string begin = sound_.substr(0, header);
  const std::string rest = sound_.substr(header + 2 * block);
  ASSERT_EQ(begin + first + second + rest, sound_);
  ExpectCorrupt(begin + second + rest, "the first is gone");
  ExpectCorrupt(begin + first + first + second + rest, "the first twice");
  ExpectCorrupt(begin + second + first + rest, "exchanged");
  ExpectCorrupt(begin + first + second, "without the rest");
}

TEST_F(CheckpointDamage, ErrorOfTheSourceIsNotTakenForDamage) {
  const auto read = CheckpointReader::Open(
      [](char*, std::size_t) -> Result<std::size_t> { return Error(ErrorCode::kUnavailable, "the disk is away"); });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace holdfast::durability
