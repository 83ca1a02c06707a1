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
  return manifest;
}

constexpr std::string_view kGolden =
    "holdfast-backup 2\n"
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
    "encryption none\n"
    "object 9f86d081-00000001 200 sha256:0202020202020202020202020202020202020202020202020202020202020202\n"
    "object 9f86d081-00000002 109 sha256:0202020202020202020202020202020202020202020202020202020202020202\n";

std::string WithEnd(const std::string& text) {
  durability::Sha256Stream digest;
  digest.Add(text);
  return text + "end " + durability::ShowDigest(digest.Finish()) + '\n';
}

TEST(BackupManifest, IsThePublishedText) {
  EXPECT_EQ(EncodeManifest(SomeManifest(), nullptr), WithEnd(std::string(kGolden)));
}

TEST(BackupManifest, IsReadAsItWasWritten) {
  for (const bool encrypted : {false, true}) {
    Manifest manifest = SomeManifest();
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
    if (encrypted) {
      EXPECT_TRUE(cipher->IsSigned(decoded->signed_text, decoded->tag));
    }
  }
}

TEST(BackupManifest, AnotherFormatSaysWhoReadsIt) {
  std::string text(kGolden);
  text.replace(text.find("2\n"), 1, "3");
  const auto decoded = DecodeManifest(WithEnd(text));
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(decoded.error().message(), HasSubstr("has format 3"));
}

TEST(BackupManifest, TheFormatWithoutHashOfTheContentIsRead) {
  std::string text(kGolden);
  text.replace(text.find("2\n"), 1, "1");
  const std::string_view content = "content range64:0123456789abcdef\n";
  EXPECT_EQ(DecodeManifest(WithEnd(text)).error().code(), ErrorCode::kCorruption) << "it has none";
  text.erase(text.find(content), content.size());
  const auto decoded = DecodeManifest(WithEnd(text));
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(decoded->manifest.format, kFormatWithoutContent);
  EXPECT_EQ(EncodeManifest(decoded->manifest, nullptr), WithEnd(text));
}

// Whoever can write to the target can make the SHA-256 fit.
TEST(BackupManifest, SoundSumsDoNotMakeItOne) {
  const std::string sound(kGolden);
  const auto with = [&sound](std::string_view what, std::string_view by) {
    std::string text = sound;
    text.replace(text.find(what), what.size(), by);
    return text;
  };
  for (const std::string& wrong :
       {std::string("holdfast-backup 2\n"), with("id nightly-1\n", ""), with("entries 3", "entries -3"),
        with("entries 3", "entries 3 "), with("entries 3", "entries 99999999999999999999"),
        with("point_in_time", "sometimes"), with("none", "rot13"), with("none", "aes-256-gcm 00 00"),
        with("none", "aes-256-gcm " + std::string(64, '0') + " " + std::string(16, '0')),
        with("9f86d081-00000001", "../x"), with("9f86d081-00000001", "manifest"), with("9f86d081-00000001", "drill"),
        with("content range64:0123456789abcdef\n", ""), with("89abcdef", "89ABCDE"),
        with("range64:0123", "range64:-123"), with("sha256:02", "sha256:0Z"), with("main", std::string(256, 'm')),
        sound + "more\n", sound.substr(0, sound.find("object"))}) {
    const auto decoded = DecodeManifest(WithEnd(wrong));
    ASSERT_FALSE(decoded.ok()) << wrong;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kCorruption) << wrong;
  }
  EXPECT_TRUE(DecodeManifest(WithEnd(sound)).ok()) << "the control";
}

}  // namespace
}  // namespace holdfast::backup
