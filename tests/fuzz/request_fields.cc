// What clients write into headers: entity tags, durations, instants, tags, metadata, content types. Accepted values
// read back from how we write them; everything else is the client's mistake and nothing worse.
#include <string>

#include "base/time/duration.h"
#include "service/api/operation_fields.h"
#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;

template <typename T>
bool Accepted(const Result<T>& result) {
  if (!result.ok()) Check(result.error().code() == ErrorCode::kInvalidArgument, "refused as the client's mistake");
  return result.ok();
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  using holdfast::fuzz::Check;
  const std::string_view text = holdfast::fuzz::Input(data, size).Rest();

  if (const auto duration = holdfast::ParseDuration(text); Accepted(duration)) {
    Check(duration->count() >= 0, "durations are not negative");
    const auto again = holdfast::ParseDuration(holdfast::FormatDuration(*duration));
    Check(again.ok() && *again == *duration, "a duration reads back");
  }
  if (const auto instant = holdfast::ParseTimestamp(text); Accepted(instant)) {
    const auto again = holdfast::ParseTimestamp(holdfast::FormatTimestamp(*instant));
    Check(again.ok() && *again == *instant, "an instant reads back");
  }
  if (const auto ttl = ParseTtl(text); Accepted(ttl)) {
    Check(ttl->kind != holdfast::storage::Expiry::Kind::kAfter || ttl->after.count() > 0, "above zero");
  }
  if (const auto match = ParseIfMatch(text); Accepted(match)) {
    const std::size_t first = text.find_first_not_of(" \t");
    const std::size_t last = text.find_last_not_of(" \t");
    Check(first != text.npos, "an entity tag is not blank");
    Check(text[first] == '*' || (last > first && text[first] == '"' && text[last] == '"'), "an entity tag is quoted");
  }
  (void)Accepted(ParseIfNoneMatchOnWrite(text));
  (void)Accepted(MatchesIfNoneMatch(text, 7));
  if (const auto tags = ParseTags(text); Accepted(tags)) {
    for (const std::string& tag : *tags) Check(CheckTag(tag).ok(), "every tag is one");
  }
  (void)CheckMetadata(text).ok();
  if (CheckContentType(text).ok()) Check(text.find_first_of("\r\n") == text.npos, "fit for a header");
  return 0;
}
