#include "service/backends/rocksdb/entry_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "service/storage/crc32c.h"

namespace holdfast::storage {
namespace {

Timestamp At(std::int64_t micros) {
  return Timestamp{std::chrono::microseconds{micros}};
}

std::string RowOf(std::string_view key, const Entry& entry) {
  const EncodedEntry encoded = EncodeEntry(key, entry);
  return std::string(encoded.Head()).append(entry.value).append(encoded.Tail());
}

constexpr compression::Codec kCodecs[] = {compression::Codec::kLz4, compression::Codec::kSnappy,
                                          compression::Codec::kZstd};

std::string CompressedRowOf(std::string_view key, const Entry& entry, compression::Codec codec) {
  const EncodedEntry encoded = EncodeEntry(key, entry, {codec, 0, 100});
  EXPECT_TRUE(encoded.compressed);
  return std::string(encoded.Head()).append(encoded.Value(entry)).append(encoded.Tail());
}

Entry FullEntry() {
  Entry entry;
  entry.value = "hello";
  entry.version = 0x0102030405060708;
  entry.created_at = At(1'700'000'000'000'000);
  entry.updated_at = At(1'700'000'000'000'001);
  entry.expires_at = At(1'700'000'060'000'000);
  entry.content_type = "text/plain";
  entry.metadata = R"({"a":1})";
  entry.tags = {"eu", ""};
  return entry;
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(byte) >> 4]);
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(byte) & 15]);
  }
  return text;
}

void ExpectRoundTrip(std::string_view key, const Entry& entry, const std::string& row) {
  const Result<DecodedEntry> all = DecodeEntry(key, row);
  ASSERT_TRUE(all.ok()) << all.error().message();
  const Entry& decoded = *all->entry;
  EXPECT_EQ(entry.value, decoded.value);
  EXPECT_EQ(entry.version, decoded.version);
  EXPECT_EQ(entry.created_at, decoded.created_at);
  EXPECT_EQ(entry.updated_at, decoded.updated_at);
  EXPECT_EQ(entry.expires_at, decoded.expires_at);
  EXPECT_EQ(entry.content_type, decoded.content_type);
  EXPECT_EQ(entry.metadata, decoded.metadata);
  EXPECT_EQ(entry.tags, decoded.tags);
  EXPECT_EQ(entry.value.size(), all->value_bytes);
  const Result<DecodedEntry> head = DecodeEntry(key, row, Decode::kWithoutValue);
  ASSERT_TRUE(head.ok());
  EXPECT_EQ("", head->entry->value);
  EXPECT_EQ(entry.value.size(), head->value_bytes);
  const Result<std::optional<Timestamp>> expires_at = DecodeExpiry(row);
  ASSERT_TRUE(expires_at.ok());
  EXPECT_EQ(entry.expires_at, *expires_at);
}

// The bytes of docs/formats/rocksdb-entry.md. When this fails, the format has changed: raise its number.
TEST(EntryCodec, GoldenRows) {
  EXPECT_EQ(
      "010f"
      "0807060504030201"
      "00401e18240a0600"
      "01401e18240a0600"
      "00c7b11b240a0600"
      "0a746578742f706c61696e"
      "077b2261223a317d"
      "0202657500"
      "68656c6c6f"
      "a4539d06",
      Hex(RowOf("greeting", FullEntry())));
  Entry plain;
  plain.value = "hello";
  plain.version = 1;
  EXPECT_EQ(
      "0100"
      "0100000000000000"
      "0000000000000000"
      "0000000000000000"
      "68656c6c6f"
      "8abd9284",
      Hex(RowOf("greeting", plain)));
}

TEST(EntryCodec, RoundTripsRandomEntries) {
  std::mt19937_64 random(1);
  const auto text = [&random](std::size_t most) {
    std::string bytes(random() % (most + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  for (int i = 0; i < 2000; ++i) {
    Entry entry;
    entry.value = text(i % 100 == 0 ? 100'000 : 300);
    entry.version = random();
    entry.created_at = At(static_cast<std::int64_t>(random()));
    entry.updated_at = At(static_cast<std::int64_t>(random()));
    if (random() % 2 == 0) entry.expires_at = At(static_cast<std::int64_t>(random()));
    entry.content_type = text(random() % 2 * 256);
    entry.metadata = text(random() % 2 * 4096);
    for (std::uint64_t tags = random() % 5; tags > 0; --tags) entry.tags.push_back(text(128));
    const std::string key = text(512);
    ExpectRoundTrip(key, entry, RowOf(key, entry));
  }
  ExpectRoundTrip("k", FullEntry(), RowOf("k", FullEntry()));
  ExpectRoundTrip("k", Entry{}, RowOf("k", Entry{}));
}

TEST(EntryCodec, ARowCutAnywhereIsDamaged) {
  const std::string row = RowOf("key", FullEntry());
  for (std::size_t size = 0; size < row.size(); ++size) {
    const Result<DecodedEntry> decoded = DecodeEntry("key", std::string_view(row).substr(0, size));
    ASSERT_FALSE(decoded.ok()) << size;
    EXPECT_EQ(ErrorCode::kCorruption, decoded.error().code());
  }
  EXPECT_FALSE(DecodeEntry("key", row + "x").ok());
}

TEST(EntryCodec, EveryFlippedBitIsDetected) {
  const std::string row = RowOf("key", FullEntry());
  for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
    std::string flipped = row;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeEntry("key", flipped).ok()) << "bit " << bit;
    EXPECT_FALSE(DecodeEntry("key", flipped, Decode::kWithoutValue).ok()) << "bit " << bit;
  }
}

TEST(EntryCodec, ARowUnderAnotherKeyIsDamaged) {
  const std::string row = RowOf("key", FullEntry());
  EXPECT_TRUE(DecodeEntry("key", row).ok());
  EXPECT_FALSE(DecodeEntry("kex", row).ok());
  EXPECT_FALSE(DecodeEntry("key1", row).ok());
}

// With a checksum that fits, so that the later checks are what is tested.
std::string Sealed(std::string_view key, std::string body) {
  const std::string checksum = EncodeNumber(Crc32c(std::string(key) + body));
  return body.append(checksum, 0, 4);
}

TEST(EntryCodec, WhatAnotherFormatWroteIsRefused) {
  const std::string row = RowOf("key", FullEntry());
  const std::string body = row.substr(0, row.size() - 4);
  ASSERT_TRUE(DecodeEntry("key", Sealed("key", body)).ok());
  std::string newer = body;
  newer[0] = 3;
  const Result<DecodedEntry> refused = DecodeEntry("key", Sealed("key", newer));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(std::string::npos, refused.error().message().find("format 3"));
  EXPECT_FALSE(DecodeExpiry(Sealed("key", newer)).ok());
  std::string flags = body;
  flags[1] = static_cast<char>(flags[1] | 0x10);
  EXPECT_FALSE(DecodeEntry("key", Sealed("key", flags)).ok());
  EXPECT_FALSE(DecodeExpiry(Sealed("key", flags)).ok());
}

// Format 2 as the page describes it: behind the fields of format 1 the codec and the size, then the compressed value.
TEST(EntryCodec, GoldenCompressedRow) {
  Entry entry;
  entry.value = std::string(150, 'a');
  entry.version = 1;
  const std::string row = Hex(CompressedRowOf("greeting", entry, compression::Codec::kLz4));
  const std::string head =
      "0200"
      "0100000000000000"
      "0000000000000000"
      "0000000000000000"
      "01"
      "9601";
  EXPECT_EQ(head, row.substr(0, head.size()));
}

TEST(EntryCodec, RoundTripsCompressedEntries) {
  for (const compression::Codec codec : kCodecs) {
    for (const std::size_t size : {std::size_t{200}, std::size_t{5000}, std::size_t{1} << 20}) {
      Entry entry = FullEntry();
      entry.value = std::string(size, 'v');
      const std::string row = CompressedRowOf("key", entry, codec);
      EXPECT_LT(row.size(), size / 2 + 100);
      ExpectRoundTrip("key", entry, row);
    }
    Entry entry = FullEntry();
    entry.value = std::string(200, 'v');
    const std::string row = CompressedRowOf("key", entry, codec);
    for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
      std::string flipped = row;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(DecodeEntry("key", flipped).ok()) << "bit " << bit;
    }
  }
}

// With a checksum that fits, so that only the bounds stand between the lie and the allocation.
TEST(EntryCodec, ACompressedSizeThatLiesIsDamaged) {
  Entry entry;
  entry.value = std::string(150, 'v');
  for (const compression::Codec codec : kCodecs) {
    const std::string row = CompressedRowOf("key", entry, codec);
    const std::string head = row.substr(0, 26);
    const std::string compressed = row.substr(29, row.size() - 4 - 29);
    ASSERT_TRUE(DecodeEntry("key", Sealed("key", row.substr(0, row.size() - 4))).ok());
    for (const std::string& size : {std::string("\x95\x01"), std::string("\x97\x01"), std::string(1, '\0'),
                                    std::string("\xff\xff\xff\xff\x0f"), std::string("\x80\x80\x80\x80\x04")}) {
      for (const int of : {static_cast<int>(codec), 0, 4, 255}) {
        std::string body = head;
        body.push_back(static_cast<char>(of));
        body.append(size).append(compressed);
        const Result<DecodedEntry> decoded = DecodeEntry("key", Sealed("key", body));
        ASSERT_FALSE(decoded.ok());
        EXPECT_EQ(ErrorCode::kCorruption, decoded.error().code());
      }
    }
  }
}

TEST(EntryCodec, LengthsThatLeadOutOfTheRowAreDamaged) {
  std::string body(26, '\0');
  body[0] = 1;
  for (const int flags : {0x02, 0x04, 0x08}) {
    body[1] = static_cast<char>(flags);
    for (const std::string& length : {std::string("\x7f"), std::string("\xff\xff\xff\xff\x0f"),
                                      std::string("\xff\xff\xff\xff\xff\x01"), std::string("\x80")}) {
      EXPECT_FALSE(DecodeEntry("key", Sealed("key", body + length)).ok());
    }
  }
}

// Found by tests/fuzz/entry_codec.cc: rows with a sound checksum that the encoder would have spelled otherwise.
TEST(EntryCodec, ASecondSpellingOfARowIsDamaged) {
  const std::string times(24, '\1');
  const std::pair<const char*, std::string> rows[] = {
      {"a length with a leading zero", "\x01\x02" + times + std::string("\x84\x00text", 6)},
      {"a length above 32 bits", "\x01\x02" + times + "\x84\x80\x80\x80\x10text"},
      {"an empty content type", "\x01\x02" + times + std::string(1, '\0')},
      {"empty metadata", "\x01\x04" + times + std::string(1, '\0')},
      {"no tags", "\x01\x08" + times + std::string(1, '\0')},
  };
  for (const auto& [what, body] : rows) {
    const Result<DecodedEntry> decoded = DecodeEntry("key", Sealed("key", body));
    ASSERT_FALSE(decoded.ok()) << what;
    EXPECT_EQ(ErrorCode::kCorruption, decoded.error().code()) << what;
  }
}

TEST(EntryCodec, RandomBytesNeverDecodeOrCrash) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 80, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (bytes.size() > 2) {
      bytes[0] = 1;
      bytes[1] = static_cast<char>(bytes[1] & 0x0f);
    }
    EXPECT_FALSE(DecodeEntry("key", bytes).ok());
    (void)DecodeExpiry(bytes).ok();
    (void)DecodeEntry("key", Sealed("key", bytes)).ok();
  }
}

TEST(EntryCodec, ExpiryRowsSortByTimeThenKey) {
  const std::vector<std::pair<Timestamp, std::string>> sorted = {
      {At(-5), "z"}, {At(-1), "a"}, {At(0), "a"}, {At(1), "a"}, {At(1), "b"}, {At(256), "a"}, {At(1LL << 40), "a"}};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const std::string row = ExpiryRow(sorted[i].first, sorted[i].second);
    const std::optional<ExpiryRowParts> parts = ParseExpiryRow(row);
    ASSERT_TRUE(parts);
    EXPECT_EQ(sorted[i].first, parts->expires_at);
    EXPECT_EQ(sorted[i].second, parts->key);
    EXPECT_LE(ExpiryBound(sorted[i].first), row);
    if (i > 0) {
      EXPECT_LT(ExpiryRow(sorted[i - 1].first, sorted[i - 1].second), row);
    }
  }
  EXPECT_FALSE(ParseExpiryRow("12345678"));
  EXPECT_FALSE(ParseExpiryRow(""));
}

TEST(EntryCodec, NumbersAreEightBytesLittleEndian) {
  EXPECT_EQ("0807060504030201", Hex(EncodeNumber(0x0102030405060708)));
  EXPECT_EQ(0x0102030405060708u, DecodeNumber(EncodeNumber(0x0102030405060708)));
  EXPECT_FALSE(DecodeNumber("1234567"));
  EXPECT_FALSE(DecodeNumber("123456789"));
}

}  // namespace
}  // namespace holdfast::storage
