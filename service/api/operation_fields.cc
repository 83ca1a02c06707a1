#include "service/api/operation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/json/json_value.h"

namespace holdfast::api {
namespace {

using storage::Expiry;
using storage::Precondition;
using storage::Version;

// Stands for a tag that was never issued: versions start at 1 and do not reach the end of 64 bits.
constexpr Version kNeverIssued = std::numeric_limits<Version>::max();

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The version in `"7"`; kNeverIssued when another spelling stands there; nullopt when it is no single entity tag.
std::optional<Version> ParseStrongTag(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text.remove_prefix(1);
  text.remove_suffix(1);
  const bool is_tag =
      std::none_of(text.begin(), text.end(), [](char c) { return c == '"' || static_cast<unsigned char>(c) <= 0x20; });
  if (!is_tag) return std::nullopt;
  Version version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool canonical = error == std::errc() && end == text.data() + text.size() && text.front() != '0';
  return canonical ? version : kNeverIssued;
}

}  // namespace

Result<Precondition> ParseIfMatch(std::string_view text) {
  text = Trim(text);
  if (text == "*") return Precondition::Present();
  if (const auto version = ParseStrongTag(text)) return Precondition::VersionIs(*version);
  return Invalid("If-Match takes one ETag in double quotes as a read gave it, or *; lists and weak tags are refused");
}

Result<Precondition> ParseIfNoneMatchOnWrite(std::string_view text) {
  if (Trim(text) == "*") return Precondition::Absent();
  return Invalid("If-None-Match takes only * on a write (create only); to replace a known version use If-Match");
}

Result<Precondition> ParseWritePrecondition(const std::optional<std::string_view>& if_match,
                                            const std::optional<std::string_view>& if_none_match) {
  if (if_match && if_none_match) {
    return Error(ErrorCode::kInvalidArgument,
                 "If-Match and If-None-Match contradict each other on a write; give one of them");
  }
  if (if_match) return ParseIfMatch(*if_match);
  if (if_none_match) return ParseIfNoneMatchOnWrite(*if_none_match);
  return Precondition::None();
}

Result<bool> MatchesIfNoneMatch(std::string_view text, Version version) {
  text = Trim(text);
  if (text == "*") return true;
  bool matches = false;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view tag = Trim(text.substr(0, comma));
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    const auto parsed = ParseStrongTag(tag);
    if (!parsed) {
      return Invalid("If-None-Match takes ETags in double quotes as a read gave them, or *");
    }
    matches = matches || *parsed == version;
    if (comma == std::string_view::npos) return matches;
    text.remove_prefix(comma + 1);
  }
}

Result<Expiry> ParseTtl(std::string_view text) {
  text = Trim(text);
  if (text == "keep") return Expiry::Keep();
  if (text == "none") return Expiry::Never();
  const auto duration = ParseDuration(text);
  if (!duration.ok() || *duration <= std::chrono::microseconds::zero()) {
    return Invalid("the TTL is not a duration above zero; write seconds (90, 1.5), a unit (30s, 5m, 1h), keep or none");
  }
  return Expiry::After(*duration);
}

Status CheckTag(std::string_view tag) {
  const bool printable = std::none_of(tag.begin(), tag.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f || c == ',';
  });
  if (tag.empty() || !printable || !IsValidUtf8(tag) || Trim(tag).size() != tag.size()) {
    return Invalid("a tag is one or more UTF-8 characters without commas, control characters and outer blanks");
  }
  return {};
}

Result<std::vector<std::string>> ParseTags(std::string_view text) {
  std::vector<std::string> tags;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view tag = Trim(text.substr(0, comma));
    HOLDFAST_RETURN_IF_ERROR(CheckTag(tag));
    tags.emplace_back(tag);
    if (comma == std::string_view::npos) return tags;
    text.remove_prefix(comma + 1);
  }
}

Status CheckMetadata(std::string_view json) {
  const auto parsed = json::ParseJson(json);
  if (!parsed.ok()) return Invalid("the metadata: " + parsed.error().message());
  if (parsed->kind != json::JsonValue::Kind::kObject) {
    return Invalid(fmt::format("the metadata is {}; write a JSON object like {{\"source\":\"kafka\"}}",
                               json::KindName(parsed->kind)));
  }
  return {};
}

Status CheckContentType(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable || Trim(text).size() != text.size()) {
    return Invalid("the content type holds characters other than printable ASCII; write one like text/plain");
  }
  return {};
}

}  // namespace holdfast::api
