#include "service/composition/cached_copy.h"

#include <cstring>
#include <limits>
#include <type_traits>

namespace holdfast::composition {
namespace {

using storage::Entry;

// Bytes: layout, what it is, the stamp; of an entry version, created_at, updated_at, expires_at (kNever: none), content
// type, metadata, number of tags, tags, and the value to the end. Numbers as this machine has them: copies do not
// outlive the process that reads them.
constexpr char kLayout = 1;
constexpr char kAbsent = 'a';
constexpr char kPresent = 'p';
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

template <typename Number>
void Append(Number number, std::string* out) {
  static_assert(std::is_integral_v<Number>);
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(Number));
  out->append(bytes, sizeof(Number));
}

void AppendText(std::string_view text, std::string* out) {
  Append(static_cast<std::uint32_t>(text.size()), out);
  out->append(text);
}

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  template <typename Number>
  Number Take() {
    Number number{};
    const std::string_view bytes = Bytes(sizeof(Number));
    if (ok_) std::memcpy(&number, bytes.data(), sizeof(Number));
    return number;
  }
  std::string_view Text() { return Bytes(Take<std::uint32_t>()); }
  std::string_view Rest() { return Bytes(rest_.size()); }
  std::size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }

 private:
  std::string_view Bytes(std::size_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::int64_t Micros(Timestamp time) {
  return time.time_since_epoch().count();
}
Timestamp TimeOf(std::int64_t micros) {
  return Timestamp{std::chrono::microseconds{micros}};
}

}  // namespace

std::string EncodeCopy(const Stamp& stamp, const Entry* entry) {
  std::string out;
  if (entry != nullptr) out.reserve(96 + entry->content_type.size() + entry->metadata.size() + entry->value.size());
  out.push_back(kLayout);
  out.push_back(entry == nullptr ? kAbsent : kPresent);
  Append(stamp.generation, &out);
  Append(stamp.epoch, &out);
  if (entry == nullptr) return out;
  Append(entry->version, &out);
  Append(Micros(entry->created_at), &out);
  Append(Micros(entry->updated_at), &out);
  Append(entry->expires_at ? Micros(*entry->expires_at) : kNever, &out);
  AppendText(entry->content_type, &out);
  AppendText(entry->metadata, &out);
  Append(static_cast<std::uint32_t>(entry->tags.size()), &out);
  for (const std::string& tag : entry->tags) AppendText(tag, &out);
  out.append(entry->value);
  return out;
}

std::optional<CachedCopy> DecodeCopy(std::string_view bytes) {
  Input input(bytes);
  if (input.Take<char>() != kLayout) return std::nullopt;
  const char kind = input.Take<char>();
  CachedCopy copy;
  copy.stamp.generation = input.Take<std::uint64_t>();
  copy.stamp.epoch = input.Take<std::uint64_t>();
  if (kind == kAbsent) return input.ok() ? std::optional(copy) : std::nullopt;
  if (kind != kPresent) return std::nullopt;
  auto entry = std::make_shared<Entry>();
  entry->version = input.Take<storage::Version>();
  entry->created_at = TimeOf(input.Take<std::int64_t>());
  entry->updated_at = TimeOf(input.Take<std::int64_t>());
  const auto expires_at = input.Take<std::int64_t>();
  if (expires_at != kNever) entry->expires_at = TimeOf(expires_at);
  entry->content_type = input.Text();
  entry->metadata = input.Text();
  const auto tags = input.Take<std::uint32_t>();
  // Each has a length at least.
  if (!input.ok() || tags > input.left() / sizeof(std::uint32_t)) return std::nullopt;
  entry->tags.reserve(tags);
  for (std::uint32_t i = 0; i < tags; ++i) entry->tags.emplace_back(input.Text());
  entry->value = input.Rest();
  if (!input.ok()) return std::nullopt;
  copy.entry = std::move(entry);
  return copy;
}

std::string CopyKey(std::string_view key) {
  // \0 is \1\1 and \1 is \1\2.
  std::string out;
  out.reserve(key.size() + 8);
  for (const char byte : key) {
    if (byte == '\0' || byte == '\1') {
      out.push_back('\1');
      out.push_back(static_cast<char>(byte + 1));
    } else {
      out.push_back(byte);
    }
  }
  return out;
}

}  // namespace holdfast::composition
