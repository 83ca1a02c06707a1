// The manifest's text is a published format: docs/formats/backup.md has the one below as its example.
#include "service/backup/manifest.h"

#include <gmock/gmock.h>

#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using testing::HasSubstr;

const BackupKey kKey = KeyOf('k');

Manifest SomeManifest() {
  Manifest manifest;
  manifest.id = "nightly-1";
  manifest.store = "main";
  manifest.backend = "rocksdb";
  manifest.created_at = Timestamp{std::chrono::microseconds{1'795'240'000'123'456}};
  manifest.consistency = storage::SnapshotConsistency::kPointInTime;
  manifest.entries = 3;
  manifest.entry_bytes = 45;
  manifest.checkpoint_bytes = 309;
  manifest.checkpoint.fill('\x01');
  manifest.content = 0x0123456789abcdef;
  for (const std::uint64_t bytes : {200, 109}) {
    ManifestObject object;
    object.name = "9f86d081-0000000" + std::to_string(manifest.objects.size() + 1);
    object.bytes = bytes;
    object.digest.fill('\x02');
    manifest.objects.push_back(object);
  }
  ManifestObject index;
  index.name = "9f86d081-index-00000001";
  index.bytes = 197;
  index.digest.fill('\x03');
  manifest.index.push_back(index);
  return manifest;
}

Manifest SomeIncrement() {
  Manifest manifest = SomeManifest();
  manifest.id = "nightly-2";
  manifest.link = 1;
  manifest.parent = Parent{"nightly-1", {}};
  manifest.parent->digest.fill('\x04');
  return manifest;
}

constexpr std::string_view kGolden =
    "holdfast-backup 3\n"
    "id nightly-1\n"
    "store main\n"
    "backend rocksdb\n"
    "created_at 1795240000123456\n"
    "consistency point_in_time\n"
    "entries 3\n"
    "entry_bytes 45\n"
    "checkpoint_bytes 309\n"
    "checkpoint sha256:0101010101010101010101010101010101010101010101010101010101010101\n"
    "content range64:0123456789abcdef\n"
    "link 0\n"
    "parent none\n"
    "encryption none\n"
    "object 9f86d081-00000001 200 sha256:0202020202020202020202020202020202020202020202020202020202020202\n"
    "object 9f86d081-00000002 109 sha256:0202020202020202020202020202020202020202020202020202020202020202\n"
    "index 9f86d081-index-00000001 197 sha256:0303030303030303030303030303030303030303030303030303030303030303\n";

// As releases before this one have written it.
std::string Former(int format) {
  std::string text(kGolden);
  const auto take = [&text](std::string_view begin) {
    const std::size_t at = text.find(begin);
    text.erase(at, text.find('\n', at) + 1 - at);
  };
  text.replace(text.find("3\n"), 1, std::to_string(format));
  for (const char* line : {"link ", "parent ", "index "}) take(line);
  if (format == 1) take("content ");
  return text;
}

std::string WithEnd(const std::string& text) {
  durability::Sha256Stream digest;
  digest.Add(text);
  return text + "end " + durability::ShowDigest(digest.Finish()) + '\n';
}

TEST(BackupManifest, IsThePublishedText) {
  EXPECT_EQ(EncodeManifest(SomeManifest(), nullptr), WithEnd(std::string(kGolden)));
}

TEST(BackupManifest, OfAnIncrementIsThePublishedText) {
  std::string text(kGolden);
  text.replace(text.find("nightly-1"), 9, "nightly-2");
  text.replace(text.find("link 0"), 6, "link 1");
  text.replace(text.find("parent none"), 11,
               "parent nightly-1 sha256:0404040404040404040404040404040404040404040404040404040404040404");
  EXPECT_EQ(EncodeManifest(SomeIncrement(), nullptr), WithEnd(text));
}

TEST(BackupManifest, IsReadAsItWasWritten) {
  for (const bool increment : {false, true}) {
    for (const bool encrypted : {false, true}) {
      Manifest manifest = increment ? SomeIncrement() : SomeManifest();
      std::optional<ObjectCipher> cipher;
      if (encrypted) {
        manifest.encryption = Encryption{std::string(kSaltBytes, '\x7f'), ""};
        cipher.emplace(kKey, manifest.encryption->salt, manifest.id);
        manifest.encryption->key_check = cipher->key_check();
      }
      const auto decoded = DecodeManifest(EncodeManifest(manifest, cipher ? &*cipher : nullptr));
      ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
      EXPECT_EQ(EncodeManifest(decoded->manifest, cipher ? &*cipher : nullptr),
                EncodeManifest(manifest, cipher ? &*cipher : nullptr));
      EXPECT_TRUE(!encrypted || cipher->IsSigned(decoded->signed_text, decoded->tag));
    }
  }
}

TEST(BackupManifest, OfAStoreWithAChangeLogIsThePublishedText) {
  Manifest manifest = SomeManifest();
  manifest.format = kFormatWithChanges;
  manifest.changes = ChangeStart{7, Timestamp{std::chrono::microseconds{1'795'240'000'200'000}}};
  std::string text(kGolden);
  text.replace(text.find("3\n"), 1, "4");
  text.insert(text.find("encryption"), "changes 7 1795240000200000\n");
  EXPECT_EQ(EncodeManifest(manifest, nullptr), WithEnd(text));
  const auto decoded = DecodeManifest(WithEnd(text));
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(decoded->manifest.changes->first, 7U);
  EXPECT_EQ(decoded->manifest.changes->read_until, manifest.changes->read_until);
}

TEST(BackupManifest, AnotherFormatSaysWhoReadsIt) {
  std::string text(kGolden);
  text.replace(text.find("3\n"), 1, "5");
  const auto decoded = DecodeManifest(WithEnd(text));
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(decoded.error().message(), HasSubstr("has format 5"));
}

TEST(BackupManifest, TheFormerFormatsAreRead) {
  for (const int format : {1, 2}) {
    const std::string text = Former(format);
    const auto decoded = DecodeManifest(WithEnd(text));
    ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
    EXPECT_EQ(decoded->manifest.format, static_cast<std::uint32_t>(format));
    EXPECT_EQ(EncodeManifest(decoded->manifest, nullptr), WithEnd(text));
  }
  std::string other = Former(2);
  other.replace(other.find("2\n"), 1, "1");
  EXPECT_EQ(DecodeManifest(WithEnd(other)).error().code(), ErrorCode::kCorruption) << "it has no hash of the content";
}

// Whoever can write to the target can make the SHA-256 fit.
TEST(BackupManifest, SoundSumsDoNotMakeItOne) {
  const std::string sound(kGolden);
  const auto with = [&sound](std::string_view what, std::string_view by) {
    std::string text = sound;
    text.replace(text.find(what), what.size(), by);
    return text;
  };
  for (const std::string& wrong : {std::string("holdfast-backup 3\n"),
                                   with("id nightly-1\n", ""),
                                   with("entries 3", "entries -3"),
                                   with("entries 3", "entries 3 "),
                                   with("entries 3", "entries 99999999999999999999"),
                                   with("point_in_time", "sometimes"),
                                   with("none", "rot13"),
                                   with("none", "aes-256-gcm 00 00"),
                                   with("none", "aes-256-gcm " + std::string(64, '0') + " " + std::string(16, '0')),
                                   with("9f86d081-00000001", "../x"),
                                   with("9f86d081-00000001", "manifest"),
                                   with("9f86d081-00000001", "drill"),
                                   with("content range64:0123456789abcdef\n", ""),
                                   with("89abcdef", "89ABCDE"),
                                   with("range64:0123", "range64:-123"),
                                   with("sha256:02", "sha256:0Z"),
                                   with("main", std::string(256, 'm')),
                                   with("link 0\n", ""),
                                   with("link 0", "link 1"),
                                   with("link 0\nparent none", "link 256\nparent none"),
                                   with("parent none", "parent nightly-0"),
                                   with("parent none", "parent nightly-0 sha256:00"),
                                   with("parent none", "parent nightly-0 sha256:" + std::string(64, '0')),
                                   with("9f86d081-index-00000001", "../x"),
                                   sound.substr(0, sound.find("index ")),
                                   sound + "more\n",
                                   sound.substr(0, sound.find("object"))}) {
    const auto decoded = DecodeManifest(WithEnd(wrong));
    ASSERT_FALSE(decoded.ok()) << wrong;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kCorruption) << wrong;
  }
  EXPECT_TRUE(DecodeManifest(WithEnd(sound)).ok()) << "the control";
}

}  // namespace
}  // namespace holdfast::backup
