// Encrypts what leaves the service for a target: AES-256-GCM (NIST SP 800-38D), with a key of its own for each backup,
// which HKDF-SHA-256 (RFC 5869) makes of the owner's key and 32 random bytes that stand in the manifest. Within a
// backup the nonce is the number of the object (of the index behind kIndexNumbers), 0 for the manifest's tag: none is
// ever used twice under one key, also not by a backup that was begun again. The backup's id and the object's name are
// additional data: an object that was put under another name does not open.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::backup {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kSaltBytes = 32;
inline constexpr std::size_t kTagBytes = 16;
// Of what shows that the key is the one the backup was made with; says nothing of the key.
inline constexpr std::size_t kKeyCheckBytes = 8;

// The first object of the index has this number and 1.
inline constexpr std::uint64_t kIndexNumbers = std::uint64_t{1} << 32;

// The owner's key. Never shown.
using BackupKey = std::array<char, kKeyBytes>;
// The setting that names it, in what is said to those who made it: of a deployment's own backups.
inline constexpr char kKeySetting[] = "backups.key_file";
// 32 bytes, or 64 hexadecimal digits and perhaps an end of line. kInvalidArgument names the file, and nothing of what
// is in it.
Result<BackupKey> ReadKeyFile(const std::string& path);

// From the system's source for keys.
std::string RandomBytes(std::size_t count);

// Thread-safe.
class ObjectCipher {
 public:
  ObjectCipher(const BackupKey& key, std::string_view salt, std::string backup);

  const std::string& key_check() const { return key_check_; }
  // kTagBytes longer than `plain`. `number`: from 1, another one for each object.
  std::string Seal(std::uint64_t number, std::string_view object, std::string_view plain) const;
  // kCorruption unless it is what Seal gave for the same number and name.
  Result<std::string> Open(std::uint64_t number, std::string_view object, std::string_view sealed) const;
  // Over the text of the manifest; kTagBytes.
  std::string Sign(std::string_view manifest) const;
  bool IsSigned(std::string_view manifest, std::string_view tag) const;

 private:
  const std::string backup_;
  std::string key_;
  std::string key_check_;
};

}  // namespace holdfast::backup
