#include "service/backup/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "service/backup/hex.h"
#include "service/backup/target.h"

namespace holdfast::backup {
namespace {

constexpr std::string_view kTitle = "holdfast-backup ";
constexpr std::string_view kNotEncrypted = "none";
constexpr std::string_view kCipherName = "aes-256-gcm ";
constexpr std::string_view kContent = "content range64:";
constexpr std::string_view kLink = "link ";
constexpr std::string_view kParent = "parent ";
constexpr std::string_view kNoParent = "none";
constexpr std::string_view kChanges = "changes ";
constexpr std::string_view kObject = "object ";
constexpr std::string_view kIndex = "index ";
constexpr std::string_view kEnd = "end ";
constexpr std::size_t kMaxTextBytes = 255;

durability::Digest DigestOf(std::string_view bytes) {
  durability::Sha256Stream stream;
  stream.Add(bytes);
  return stream.Finish();
}

// Takes lines off the front of a text; after one that is not as it should be it has failed.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  bool failed() const { return failed_; }
  std::string_view rest() const { return text_; }
  bool Next(std::string_view begin) const { return text_.starts_with(begin); }

  // What follows `begin` in the next line.
  std::string_view Take(std::string_view begin) {
    const std::size_t end = text_.find('\n');
    if (failed_ || end == std::string_view::npos || !text_.starts_with(begin) || end < begin.size()) return Fail();
    const std::string_view value = text_.substr(begin.size(), end - begin.size());
    text_.remove_prefix(end + 1);
    return value;
  }
  std::string Text(std::string_view begin) {
    const std::string_view value = Take(begin);
    return std::string(value.size() <= kMaxTextBytes ? value : Fail());
  }
  std::uint64_t Number(std::string_view begin) { return NumberOf(Take(begin)); }
  durability::Digest Digest(std::string_view begin) { return DigestIn(Take(begin)); }

  std::uint64_t Hash(std::string_view begin) {
    constexpr int kHexadecimal = 16;
    const std::string_view digits = Take(begin);
    return digits.size() == sizeof(std::uint64_t) * 2 ? NumberOf(digits, kHexadecimal) : NumberOf(Fail());
  }

  std::uint64_t NumberOf(std::string_view digits, int base = 10) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    if (error != std::errc() || end != digits.data() + digits.size()) Fail();
    return number;
  }
  durability::Digest DigestIn(std::string_view shown) {
    constexpr std::string_view kAlgorithm = "sha256:";
    durability::Digest digest{};
    const auto bytes = shown.starts_with(kAlgorithm) ? FromHex(shown.substr(kAlgorithm.size())) : std::nullopt;
    if (!bytes || bytes->size() != digest.size()) {
      Fail();
    } else {
      std::copy(bytes->begin(), bytes->end(), digest.begin());
    }
    return digest;
  }
  std::string_view Fail() {
    failed_ = true;
    return {};
  }

 private:
  std::string_view text_;
  bool failed_ = false;
};

// The next word of a line, and what is behind it.
std::string_view TakeWord(std::string_view* line) {
  const std::size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

std::optional<Encryption> ReadEncryption(Lines* lines) {
  std::string_view line = lines->Take("encryption ");
  if (line == kNotEncrypted) return std::nullopt;
  if (!line.starts_with(kCipherName)) {
    lines->Fail();
    return std::nullopt;
  }
  line.remove_prefix(kCipherName.size());
  const auto salt = FromHex(TakeWord(&line));
  const auto check = FromHex(line);
  const bool sound = salt && salt->size() == kSaltBytes && check && check->size() == kKeyCheckBytes;
  if (sound) return Encryption{*salt, *check};
  lines->Fail();
  return std::nullopt;
}

storage::SnapshotConsistency ReadConsistency(Lines* lines) {
  using storage::SnapshotConsistency;
  const std::string_view name = lines->Take("consistency ");
  for (const auto one : {SnapshotConsistency::kPerEntry, SnapshotConsistency::kPointInTime}) {
    if (name == storage::ConsistencyName(one)) return one;
  }
  lines->Fail();
  return SnapshotConsistency::kPerEntry;
}

std::optional<Parent> ReadParent(Lines* lines) {
  std::string_view line = lines->Take(kParent);
  if (line == kNoParent) return std::nullopt;
  Parent parent;
  parent.id = TakeWord(&line);
  parent.digest = lines->DigestIn(line);
  if (!IsName(parent.id)) lines->Fail();
  return parent;
}

ChangeStart ReadChanges(Lines* lines) {
  std::string_view line = lines->Take(kChanges);
  ChangeStart changes;
  changes.first = lines->NumberOf(TakeWord(&line));
  changes.read_until = Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(lines->NumberOf(line))}};
  if (changes.first == 0) lines->Fail();
  return changes;
}

ManifestObject ReadObject(Lines* lines, std::string_view begin) {
  std::string_view line = lines->Take(begin);
  ManifestObject object;
  object.name = TakeWord(&line);
  object.bytes = lines->NumberOf(TakeWord(&line));
  object.digest = lines->DigestIn(line);
  constexpr std::array kReserved = {kManifestObject, kVerifiedObject, kDrillObject, kClaimObject};
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), object.name) != kReserved.end() ||
                        object.name.starts_with(kDoomedPrefix);
  if (!IsName(object.name) || reserved) lines->Fail();
  return object;
}

std::vector<ManifestObject> ReadObjects(Lines* lines, std::string_view begin) {
  std::vector<ManifestObject> objects;
  while (!lines->failed() && lines->Next(begin) && objects.size() < kMaxObjects) {
    objects.push_back(ReadObject(lines, begin));
  }
  if (objects.empty()) lines->Fail();
  return objects;
}

void AppendObjects(std::string_view begin, const std::vector<ManifestObject>& objects, std::string* text) {
  for (const ManifestObject& object : objects) {
    *text += fmt::format("{}{} {} {}\n", begin, object.name, object.bytes, durability::ShowDigest(object.digest));
  }
}

// All but the last line, whose digest it has to have.
Result<std::string_view> WithoutEnd(std::string_view bytes) {
  const std::string_view body = bytes.substr(0, bytes.empty() ? 0 : bytes.rfind('\n', bytes.size() - 2) + 1);
  const std::string end = fmt::format("{}{}\n", kEnd, durability::ShowDigest(DigestOf(body)));
  if (body.empty() || bytes.substr(body.size()) != end) return Damaged("SHA-256 of its manifest");
  return body;
}

}  // namespace

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the backup is damaged ({}): use another one, and look after the target it lies on", what)};
}

std::string EncodeManifest(const Manifest& manifest, const ObjectCipher* cipher) {
  std::string text = fmt::format("{}{}\n", kTitle, manifest.format);
  text += fmt::format("id {}\nstore {}\nbackend {}\n", manifest.id, manifest.store, manifest.backend);
  text += fmt::format("created_at {}\n", manifest.created_at.time_since_epoch().count());
  text += fmt::format("consistency {}\n", storage::ConsistencyName(manifest.consistency));
  text += fmt::format("entries {}\nentry_bytes {}\n", manifest.entries, manifest.entry_bytes);
  text += fmt::format("checkpoint_bytes {}\ncheckpoint {}\n", manifest.checkpoint_bytes,
                      durability::ShowDigest(manifest.checkpoint));
  if (manifest.format != kFormatWithoutContent) text += fmt::format("{}{:016x}\n", kContent, manifest.content);
  if (manifest.format > kFormatWithoutIndex) {
    const std::string parent =
        manifest.parent ? fmt::format("{} {}", manifest.parent->id, durability::ShowDigest(manifest.parent->digest))
                        : std::string(kNoParent);
    text += fmt::format("{}{}\n{}{}\n", kLink, manifest.link, kParent, parent);
  }
  if (manifest.format >= kFormatWithChanges) {
    text += fmt::format("{}{} {}\n", kChanges, manifest.changes->first,
                        manifest.changes->read_until.time_since_epoch().count());
  }
  if (manifest.encryption) {
    text += fmt::format("encryption {}{} {}\n", kCipherName, ToHex(manifest.encryption->salt),
                        ToHex(manifest.encryption->key_check));
  } else {
    text += fmt::format("encryption {}\n", kNotEncrypted);
  }
  AppendObjects(kObject, manifest.objects, &text);
  if (manifest.format > kFormatWithoutIndex) AppendObjects(kIndex, manifest.index, &text);
  if (cipher != nullptr) text += fmt::format("tag {}\n", ToHex(cipher->Sign(text)));
  return text + fmt::format("{}{}\n", kEnd, durability::ShowDigest(DigestOf(text)));
}

Result<DecodedManifest> DecodeManifest(std::string_view bytes) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string_view body, WithoutEnd(bytes));
  Lines lines(body);
  const std::uint64_t format = lines.Number(kTitle);
  if (!lines.failed() && (format < kFormatWithoutContent || format > kFormatWithChanges)) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("the backup has format {}, and this program reads formats {} to {}: use the release that "
                             "made it",
                             format, kFormatWithoutContent, kFormatWithChanges));
  }
  DecodedManifest decoded;
  Manifest& manifest = decoded.manifest;
  manifest.format = static_cast<std::uint32_t>(format);
  manifest.id = lines.Text("id ");
  manifest.store = lines.Text("store ");
  manifest.backend = lines.Text("backend ");
  manifest.created_at = Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(lines.Number("created_at "))}};
  manifest.consistency = ReadConsistency(&lines);
  manifest.entries = lines.Number("entries ");
  manifest.entry_bytes = lines.Number("entry_bytes ");
  manifest.checkpoint_bytes = lines.Number("checkpoint_bytes ");
  manifest.checkpoint = lines.Digest("checkpoint ");
  if (format != kFormatWithoutContent) manifest.content = lines.Hash(kContent);
  if (format > kFormatWithoutIndex) {
    manifest.link = static_cast<std::size_t>(lines.Number(kLink));
    manifest.parent = ReadParent(&lines);
    if (manifest.link > kMaxIncrements || manifest.parent.has_value() != (manifest.link > 0)) lines.Fail();
  }
  if (format >= kFormatWithChanges) manifest.changes = ReadChanges(&lines);
  manifest.encryption = ReadEncryption(&lines);
  manifest.objects = ReadObjects(&lines, kObject);
  if (format > kFormatWithoutIndex) manifest.index = ReadObjects(&lines, kIndex);
  if (manifest.encryption && !lines.failed()) {
    decoded.signed_text = body.substr(0, body.size() - lines.rest().size());
    const auto tag = FromHex(lines.Take("tag "));
    if (tag && tag->size() == kTagBytes) decoded.tag = *tag;
  }
  const bool untagged = manifest.encryption && decoded.tag.empty();
  if (lines.failed() || !lines.rest().empty() || untagged) {
    return Damaged("fields of its manifest");
  }
  decoded.digest = DigestOf(body);
  return decoded;
}

}  // namespace holdfast::backup
