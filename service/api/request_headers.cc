#include "service/api/request_headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/api/encoding.h"
#include "service/api/nearest_name.h"
#include "service/api/trace_context.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kPrefix = "holdfast-";
constexpr std::array<std::string_view, 7> kHoldfastHeaders = {
    "Holdfast-TTL",       "Holdfast-Metadata", "Holdfast-Tags",        "Holdfast-Timeout",
    "Holdfast-Namespace", "Holdfast-Fence",    "Holdfast-Transaction",
};

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `lower` is in lower case.
bool Is(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() &&
         std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) { return Lower(a) == b; });
}

std::optional<Problem> Invalid(std::string detail) {
  return Problem::Of("invalid_argument", std::move(detail));
}

class Reader {
 public:
  Reader(unsigned allowed, RequestHeaders* headers) : allowed_(allowed), headers_(headers) {}

  std::optional<Problem> Read(std::string_view name, std::string_view value) {
    // By length first: most headers of a request are none of ours.
    switch (name.size()) {
      case 5:
        if (Is(name, "range")) return KeepOfRange("Range", value, &headers_->range);
        break;
      case 6:
        return std::nullopt;
      case 8:
        if (Is(name, "if-range")) return KeepOfRange("If-Range", value, &headers_->if_range);
        if (Is(name, "if-match")) return Keep(kIfMatch, "If-Match", value, &headers_->if_match);
        break;
      case 11:
        if (Is(name, "traceparent") && ParseTraceparent(value)) headers_->traceparent = value;
        break;
      case 12:
        if (Is(name, "content-type")) return Keep(0, "Content-Type", value, &headers_->content_type);
        break;
      case 13:
        if (Is(name, "if-none-match")) return Keep(kIfNoneMatch, "If-None-Match", value, &headers_->if_none_match);
        if (Is(name, "authorization")) return Keep(0, "Authorization", value, &headers_->authorization);
        if (Is(name, "content-range")) return Invalid("Content-Range is refused: a PUT writes the whole value");
        break;
      case 15:
        if (Is(name, "idempotency-key")) {
          return Keep(kIdempotencyKey, "Idempotency-Key", value, &headers_->idempotency_key);
        }
        break;
      case 16:
        if (Is(name, "content-encoding") && !Is(value, "identity")) {
          return Invalid("Content-Encoding is not kept with a value; send the bytes as they are to be given back");
        }
        break;
      default:
        break;
    }
    if (name.size() > kPrefix.size() && Is(name.substr(0, kPrefix.size()), kPrefix)) return ReadOwn(name, value);
    return std::nullopt;
  }

 private:
  std::optional<Problem> ReadOwn(std::string_view name, std::string_view value) {
    if (Is(name, "holdfast-ttl")) return Keep(kTtl, "Holdfast-TTL", value, &headers_->ttl);
    if (Is(name, "holdfast-timeout")) return Keep(0, "Holdfast-Timeout", value, &headers_->timeout);
    if (Is(name, "holdfast-metadata")) return Keep(kMetadata, "Holdfast-Metadata", value, &headers_->metadata);
    if (Is(name, "holdfast-tags")) return Keep(kTags, "Holdfast-Tags", value, &headers_->tags);
    if (Is(name, "holdfast-namespace")) return Keep(0, "Holdfast-Namespace", value, &headers_->name_space);
    if (Is(name, "holdfast-fence")) return Keep(kFence, "Holdfast-Fence", value, &headers_->fence);
    if (Is(name, "holdfast-transaction")) {
      return Keep(kTransaction, "Holdfast-Transaction", value, &headers_->transaction);
    }
    return Invalid(fmt::format("unknown header \"{}\"{}", name, NearestHint(name, kHoldfastHeaders)));
  }

  // `bit` 0: allowed everywhere.
  std::optional<Problem> Keep(unsigned bit, std::string_view name, std::string_view value,
                              std::optional<std::string_view>* field) {
    if ((allowed_ & bit) != bit) {
      return Invalid(fmt::format("the header {} has no meaning for this request; leave it out", name));
    }
    if (field->has_value()) return Invalid(fmt::format("the header {} is given twice; give it once", name));
    *field = value;
    return std::nullopt;
  }

  std::optional<Problem> KeepOfRange(std::string_view name, std::string_view value,
                                     std::optional<std::string_view>* field) {
    if ((allowed_ & kRange) == 0) return std::nullopt;
    return Keep(kRange, name, value, field);
  }

  unsigned allowed_;
  RequestHeaders* headers_;
};

}  // namespace

std::optional<Problem> ReadHeaders(const Request& request, unsigned allowed, RequestHeaders* headers) {
  Reader reader(allowed, headers);
  std::optional<Problem> first;
  for (const auto& [name, value] : request.headers) {
    auto problem = reader.Read(name, value);
    if (problem && !first) first = std::move(problem);
  }
  return first;
}

}  // namespace holdfast::api
