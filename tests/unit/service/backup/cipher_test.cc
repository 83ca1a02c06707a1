// Keys, and what is encrypted with them.
#include <gmock/gmock.h>

#include <set>

#include "service/backup/hex.h"
#include "service/backup/object_cipher.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using testing::HasSubstr;
using testing::Not;

const BackupKey kKey = KeyOf('k');
const std::string kSalt(kSaltBytes, 's');

TEST(BackupCipher, WhatIsSealedOpensUnderItsOwnNameAndNumberOnly) {
  const ObjectCipher cipher(kKey, kSalt, "one");
  const std::string sealed = cipher.Seal(1, "a-00000001", "plain");
  EXPECT_EQ(sealed.size(), 5 + kTagBytes);
  EXPECT_THAT(sealed, Not(HasSubstr("plain")));
  EXPECT_EQ(*cipher.Open(1, "a-00000001", sealed), "plain");
  EXPECT_EQ(cipher.Open(2, "a-00000001", sealed).error().code(), ErrorCode::kCorruption);
  EXPECT_EQ(cipher.Open(1, "a-00000002", sealed).error().code(), ErrorCode::kCorruption);
  EXPECT_FALSE(ObjectCipher(kKey, kSalt, "two").Open(1, "a-00000001", sealed).ok());
  EXPECT_FALSE(ObjectCipher(kKey, std::string(kSaltBytes, 't'), "one").Open(1, "a-00000001", sealed).ok());
  EXPECT_FALSE(ObjectCipher(KeyOf('x'), kSalt, "one").Open(1, "a-00000001", sealed).ok());
  EXPECT_EQ(*cipher.Open(3, "empty", cipher.Seal(3, "empty", "")), "");
}

TEST(BackupCipher, EveryFlippedBitIsNoticed) {
  const ObjectCipher cipher(kKey, kSalt, "one");
  const std::string sealed = cipher.Seal(1, "a", "plain");
  const std::string tag = cipher.Sign("manifest");
  EXPECT_TRUE(cipher.IsSigned("manifest", tag));
  EXPECT_FALSE(cipher.IsSigned("Manifest", tag));
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string damaged = sealed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(cipher.Open(1, "a", damaged).ok()) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(cipher.Open(1, "a", std::string_view(sealed).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(cipher.IsSigned("manifest", tag.substr(1)));
}

// Each salt makes a key of its own, so that the numbers may begin anew.
TEST(BackupCipher, TheSameBytesNeverLookTheSame) {
  std::set<std::string> seen;
  for (int backup = 0; backup < 4; ++backup) {
    const ObjectCipher cipher(kKey, RandomBytes(kSaltBytes), "one");
    for (std::uint64_t number = 1; number <= 4; ++number) {
      EXPECT_TRUE(seen.insert(cipher.Seal(number, "a", "plain")).second);
    }
    EXPECT_TRUE(seen.insert(cipher.Sign("plain")).second);
  }
}

TEST(BackupCipher, HexIsReadStrictly) {
  EXPECT_EQ(ToHex(std::string("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(FromHex("00ff1a"), std::string("\x00\xff\x1a", 3));
  for (const char* wrong : {"0", "0g", "FF", " 0", "0x00"}) EXPECT_FALSE(FromHex(wrong)) << wrong;
}

class KeyFileTest : public durability::StoreFixture {
 protected:
  Result<BackupKey> Read(std::string_view content) const {
    durability::WriteFile(folder_ / "key", content);
    return ReadKeyFile((folder_ / "key").string());
  }
};

TEST_F(KeyFileTest, BytesOrDigitsAndNothingElse) {
  BackupKey key = KeyOf('\xfe');
  key.back() = '\n';
  const std::string_view raw(key.data(), key.size());
  EXPECT_EQ(*Read(raw), key);
  EXPECT_EQ(*Read(ToHex(raw)), key);
  EXPECT_EQ(*Read(ToHex(raw) + "\r\n"), key);
  for (const std::string& wrong :
       {std::string(), std::string("secret-text"), std::string(31, 'k'), std::string(33, 'k'), std::string(64, 'g'),
        ToHex(raw) + "00", std::string(100'000, '0')}) {
    const auto read = Read(wrong);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(read.error().message(), HasSubstr((folder_ / "key").string()));
    EXPECT_THAT(read.error().message(), Not(HasSubstr("secret-text")));
  }
  EXPECT_FALSE(ReadKeyFile((folder_ / "none").string()).ok());
}

}  // namespace
}  // namespace holdfast::backup
