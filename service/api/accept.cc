#include "service/api/accept.h"

#include <algorithm>
#include <charconv>

#include "service/http/ascii.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kLines = "application/x-ndjson";

std::string_view Trim(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  return text;
}

// In thousandths. What cannot be read counts as 1, like none.
int Quality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view one = parameters.substr(0, parameters.find(';'));
    parameters.remove_prefix(std::min(parameters.size(), one.size() + 1));
    const std::string_view name_and_value = Trim(one);
    if (!name_and_value.starts_with("q=") && !name_and_value.starts_with("Q=")) continue;
    const std::string_view value = name_and_value.substr(2);
    if (value.empty() || (value.front() != '0' && value.front() != '1')) return 1000;
    int quality = value.front() == '1' ? 1000 : 0;
    for (int i = 2, weight = 100; i < 5 && i < static_cast<int>(value.size()); ++i, weight /= 10) {
      const char digit = value[static_cast<std::size_t>(i)];
      if (digit < '0' || digit > '9') return 1000;
      quality += (digit - '0') * weight;
    }
    return std::min(quality, 1000);
  }
  return 1000;
}

struct Candidate {
  Accept accept;
  int quality = 0;
  bool named = false;

  bool Beats(const Candidate& other) const {
    return quality > other.quality || (quality == other.quality && named && !other.named);
  }
};

}  // namespace

std::string_view TrimMediaType(std::string_view value) {
  return Trim(value.substr(0, value.find(';')));
}

std::optional<json::Format> FormatOf(std::string_view media_type) {
  const auto is = [&](std::string_view name) { return EqualsIgnoringCase(media_type, name); };
  if (is("application/json")) return json::Format::kJson;
  if (is("application/cbor")) return json::Format::kCbor;
  if (is("application/msgpack") || is("application/x-msgpack") || is("application/vnd.msgpack")) {
    return json::Format::kMessagePack;
  }
  return std::nullopt;
}

std::string_view MediaTypeOf(json::Format format) {
  switch (format) {
    case json::Format::kCbor:
      return "application/cbor";
    case json::Format::kMessagePack:
      return "application/msgpack";
    case json::Format::kJson:
      break;
  }
  return "application/json";
}

Result<Accept> ReadAccept(const Request& request, bool has_lines) {
  Candidate best;
  bool asks_for_lines = false;
  for (const auto& [name, value] : request.headers) {
    if (!EqualsIgnoringCase(name, "accept")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      const std::string_view type = TrimMediaType(item);
      const std::size_t semicolon = item.find(';');
      Candidate candidate;
      candidate.quality = semicolon == std::string_view::npos ? 1000 : Quality(item.substr(semicolon + 1));
      if (const auto format = FormatOf(type)) {
        candidate.accept.document = *format;
        candidate.named = true;
      } else if (EqualsIgnoringCase(type, kLines)) {
        asks_for_lines = asks_for_lines || candidate.quality > 0;
        if (!has_lines) continue;
        candidate.accept.lines = true;
        candidate.named = true;
      } else if (type != "*/*" && !EqualsIgnoringCase(type, "application/*")) {
        continue;
      }
      if (candidate.Beats(best)) best = candidate;
    }
  }
  if (best.quality == 0 && asks_for_lines) {
    return Error(ErrorCode::kNotSupported,
                 "this answer does not come as application/x-ndjson; ask for application/json, application/cbor or "
                 "application/msgpack");
  }
  return best.accept;
}

}  // namespace holdfast::api
