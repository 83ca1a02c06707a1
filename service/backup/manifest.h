// What a backup is made of; docs/formats/backup.md is the published description, and a golden test holds the two
// together. Pure functions, thread-safe.
//
// Lines of text, so that people can read it and sha256sum can check the objects; the last one is the SHA-256 of all
// before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/backup/object_cipher.h"
#include "service/durability/sha256_stream.h"
#include "service/storage/snapshot.h"

namespace holdfast::backup {

inline constexpr std::uint32_t kBackupFormat = 3;
// Of a store with a change log.
inline constexpr std::uint32_t kFormatWithChanges = 4;
// Are read too.
inline constexpr std::uint32_t kFormatWithoutIndex = 2;
inline constexpr std::uint32_t kFormatWithoutContent = 1;
inline constexpr std::string_view kManifestObject = "manifest";
// When all of the backup was last read, and what its manifest was then.
inline constexpr std::string_view kVerifiedObject = "verified";
// When it was last restored into a scratch store, likewise, and what came of it.
inline constexpr std::string_view kDrillObject = "drill";
// Whose turn it is to make a backup that several instances would: whoever put it there first.
inline constexpr std::string_view kClaimObject = "claim";
// Begins the marks of those who are about to remove the backup, one each (removal.h).
inline constexpr std::string_view kDoomedPrefix = "doomed-";
inline constexpr std::size_t kMaxObjects = 100'000;
// Increments on one full backup, one on the other.
inline constexpr std::size_t kMaxIncrements = 255;
inline constexpr std::size_t kMaxManifestBytes = std::size_t{32} << 20;

struct ManifestObject {
  std::string name;
  std::uint64_t bytes = 0;  // as it is stored
  durability::Digest digest{};
};

struct Encryption {
  std::string salt;
  std::string key_check;
};

// The backup that an increment builds on.
struct Parent {
  std::string id;
  durability::Digest digest{};  // of its manifest
};

// From where on the change log of the store holds what the backup does not.
struct ChangeStart {
  std::uint64_t first = 0;  // the number of the segment
  Timestamp read_until{};   // the store was read until then: the backup can be brought to no earlier time
};

struct Manifest {
  std::uint32_t format = kBackupFormat;
  std::string id;
  std::string store;    // as it was called
  std::string backend;  // Backend::kind() of what it was on
  Timestamp created_at{};
  storage::SnapshotConsistency consistency = storage::SnapshotConsistency::kPerEntry;
  // Of the store.
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;
  // Of the checkpoint that the objects are, put one behind the other.
  std::uint64_t checkpoint_bytes = 0;
  durability::Digest checkpoint{};
  std::uint64_t content = 0;  // dual_write/range_hash.h of the entries; not in kFormatWithoutContent
  // Since kFormatWithoutIndex: how many increments there are from the full backup to this, itself included.
  std::size_t link = 0;
  std::optional<Parent> parent;        // none: it is a full one
  std::optional<ChangeStart> changes;  // of kFormatWithChanges
  std::optional<Encryption> encryption;
  std::vector<ManifestObject> objects;
  std::vector<ManifestObject> index;  // durability/range_index.h, likewise cut
};

// "the backup is damaged (what): ...", kCorruption.
Error Damaged(std::string_view what);

// `cipher`: where there is manifest.encryption.
std::string EncodeManifest(const Manifest& manifest, const ObjectCipher* cipher);

struct DecodedManifest {
  Manifest manifest;
  durability::Digest digest{};  // of the lines before the last
  std::string signed_text;      // what `tag` is of, where it is encrypted
  std::string tag;
};
// kCorruption; kFailedPrecondition when it is sound and of a format that this program does not know.
Result<DecodedManifest> DecodeManifest(std::string_view bytes);

}  // namespace holdfast::backup
