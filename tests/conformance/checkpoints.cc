// A checkpoint of every backend, put back into it and into an empty one of its kind.
#include <cstring>

#include "service/durability/checkpoint_writer.h"
#include "service/durability/restore.h"
#include "service/storage/key_space.h"
#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

std::string KeyOf(const std::string& key, Room room = Room::kKeys) {
  return KeySpace("main", "default").In(room).Wrap(key);
}

std::string CheckpointOf(Backend& backend) {
  std::string bytes;
  durability::CheckpointWriter writer(
      [&bytes](std::string_view some) {
        bytes += some;
        return Status();
      },
      {});
  EXPECT_TRUE(writer.Begin({}).ok());
  const std::string prefix = std::string("main") + '\0';
  auto snapshot = backend.OpenSnapshot(KeyRange::Prefix(prefix), Deadline::Infinite());
  EXPECT_TRUE(snapshot.ok());
  while (snapshot.ok()) {
    const auto some = (*snapshot)->Next(Deadline::Infinite());
    EXPECT_TRUE(some.ok()) << some.error().ToString();
    if (!some.ok() || some->empty()) break;
    for (const KeyedEntry& item : *some) {
      EXPECT_TRUE(writer.Add(std::string_view(item.key).substr(prefix.size()), *item.entry).ok());
    }
  }
  EXPECT_TRUE(writer.Finish().ok());
  return bytes;
}

durability::ByteSource SourceOf(const std::string& bytes) {
  return [&bytes, at = std::size_t{0}](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    const std::size_t some = std::min(size, bytes.size() - at);
    std::memcpy(buffer, bytes.data() + at, some);
    at += some;
    return some;
  };
}

Operation Full(const std::string& key, const std::string& value) {
  Operation put = Operation::Put(KeyOf(key), value, {}, Expiry::After(hours{1}));
  put.content_type = "text/plain";
  put.metadata = R"({"n":1.50})";
  put.tags = {"b", "a"};
  return put;
}

TEST_P(Conformance, ACheckpointPutsBackWhatStoodThere) {
  std::vector<Operation> puts;
  for (int i = 0; i < 300; ++i) puts.push_back(Full("k" + std::to_string(i), "before"));
  puts.push_back(Operation::Put(KeyOf("bytes"), std::string("\0\xff\r\n", 4)));
  puts.push_back(Operation::Put(KeyOf("short"), "expires", {}, Expiry::After(seconds{1})));
  puts.push_back(Operation::Put(KeyOf("lock", Room::kFences), "100"));
  both().Execute(puts);
  const std::string checkpoint = CheckpointOf(backend());
  const OperationResult kept = Run(Operation::Get(KeyOf("k7")));
  const Version last = Final(KeyOf("k1"), Run(Operation::Put(KeyOf("k1"), "after")).version);
  ASSERT_TRUE(Run(Operation::Delete(KeyOf("k2"))).status.ok());
  ASSERT_TRUE(Run(Operation::Put(KeyOf("new"), "after")).status.ok());
  ASSERT_TRUE(Run(Operation::Put(KeyOf("lock", Room::kFences), "120")).status.ok());
  ASSERT_TRUE(Run(Operation::Put(KeyOf("lock", Room::kLocks), "held")).status.ok());
  ASSERT_TRUE(Run(Operation::Put("other" + KeyOf("k").substr(4), "of another store")).status.ok());
  clock().Advance(seconds{2});

  ASSERT_TRUE(durability::CheckRestorable(SourceOf(checkpoint), backend(), "main", Deadline::Infinite()).ok());
  const auto counts = durability::Restore(SourceOf(checkpoint), backend(), "main", clock());
  ASSERT_TRUE(counts.ok()) << counts.error().ToString();
  EXPECT_EQ(counts->restored, 302U);
  EXPECT_EQ(counts->written, 2U);
  EXPECT_EQ(counts->deleted, 1U);
  EXPECT_EQ(counts->expired, 1U);
  for (const char* key : {"k1", "k2"}) {
    const OperationResult got = Run(Operation::Get(KeyOf(key)));
    ASSERT_TRUE(got.status.ok()) << key;
    EXPECT_EQ(got.entry->value, "before");
    EXPECT_EQ(got.entry->content_type, "text/plain");
    EXPECT_EQ(got.entry->metadata, R"({"n":1.50})");
    EXPECT_EQ(got.entry->tags, (std::vector<std::string>{"b", "a"}));
    EXPECT_EQ(got.entry->expires_at, kept.entry->expires_at);
    EXPECT_GT(got.version, std::string_view(key) == "k1" ? last : 0);
  }
  EXPECT_EQ(Run(Operation::Get(KeyOf("k7"))).version, kept.version) << "what was the same was written";
  EXPECT_EQ(Run(Operation::Get(KeyOf("bytes"))).entry->value, std::string("\0\xff\r\n", 4));
  EXPECT_EQ("not_found", CodeName(Run(Operation::Get(KeyOf("new"))).status));
  EXPECT_EQ("not_found", CodeName(Run(Operation::Get(KeyOf("short"))).status));
  EXPECT_EQ(Run(Operation::Get(KeyOf("lock", Room::kFences))).entry->value, "120") << "a fence fell";
  EXPECT_EQ(Run(Operation::Get(KeyOf("lock", Room::kLocks))).entry->value, "held");
  EXPECT_EQ(Run(Operation::Get("other" + KeyOf("k").substr(4))).entry->value, "of another store");

  // Again: there is nothing left to do.
  const auto again = durability::Restore(SourceOf(checkpoint), backend(), "main", clock());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->written + again->deleted, 0U);
}

TEST_P(Conformance, ACheckpointIsPutIntoAnEmptyStoreOfAnotherName) {
  // So many that a backend with a way of its own to load them takes it.
  std::vector<Operation> puts;
  for (int i = 0; i < 1'200; ++i) puts.push_back(Full("k" + std::to_string(i), std::to_string(i)));
  puts.push_back(Operation::Put(KeyOf("lock", Room::kFences), "100"));
  both().Execute(puts);
  const std::string checkpoint = CheckpointOf(backend());
  const auto counts = durability::Restore(SourceOf(checkpoint), backend(), "copy", clock());
  ASSERT_TRUE(counts.ok()) << counts.error().ToString();
  EXPECT_EQ(counts->restored, 1'201U);
  const auto there = backend().Count(KeyRange::Prefix(std::string("copy") + '\0'), Deadline::Infinite());
  EXPECT_EQ(there.value(), 1'201U);
  const auto copied = Run(Operation::Get("copy" + KeyOf("lock", Room::kFences).substr(4)));
  EXPECT_EQ(copied.entry->value, "100");
}

}  // namespace
}  // namespace holdfast::storage::conformance
