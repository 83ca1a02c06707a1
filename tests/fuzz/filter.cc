// The filter language: text to tree and back. What is accepted keeps its limits, has one text, and that text is the
// same filter; and a tree is judged against any document without a surprise.
#include "service/query/filter.h"

#include <string>

#include "service/json/json_value.h"
#include "service/query/entry_filter.h"
#include "service/query/evaluate.h"
#include "tests/fuzz/input.h"

namespace holdfast::query {
namespace {

using fuzz::Check;

void CheckParsed(const Filter& filter) {
  const FilterLimits limits;
  Check(!filter.comparisons.empty() && filter.comparisons.size() <= limits.max_comparisons, "comparisons in bounds");
  for (const Comparison& comparison : filter.comparisons) {
    Check(!comparison.path.empty() && comparison.path.size() <= limits.max_path_segments, "segments in bounds");
    Check(comparison.literals.size() <= limits.max_literals, "literals in bounds");
    Check((comparison.op == Operator::kExists) == comparison.literals.empty(), "only exists is without a literal");
  }
}

}  // namespace
}  // namespace holdfast::query

// The first line is a filter, the rest a JSON document for it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::query;
  using holdfast::fuzz::Check;
  holdfast::fuzz::Input input(data, size);
  const auto filter = ParseFilter(input.Line());
  if (!filter.ok()) {
    Check(filter.error().code() == holdfast::ErrorCode::kInvalidArgument, "refused as the client's mistake");
    return 0;
  }
  CheckParsed(*filter);
  // Its one spelling may be longer than what was written; the limit is on what clients write.
  FilterLimits generous;
  generous.max_bytes = 1u << 20;
  const std::string text = ToText(*filter);
  const auto again = ParseFilter(text, generous);
  Check(again.ok(), "its own text reads back");
  Check(ToText(*again) == text, "its own text is stable");
  if (const auto document = holdfast::json::ParseJson(input.Rest()); document.ok()) {
    Check(Matches(*filter, *document) == Matches(*again, *document), "both spellings match the same documents");
  }
  if (const auto entries = EntryFilter::Make(*filter); entries.ok()) {
    auto entry = std::make_shared<holdfast::storage::Entry>();
    entry->metadata = R"({"source":"kafka","partition":5,"a":{"b":[1,null]}})";
    entry->tags = {"eu", "x"};
    const holdfast::storage::KeyedEntry item{"window:1", std::move(entry), 100};
    const auto same = EntryFilter::Make(*again);
    Check(same.ok() && entries->Matches(item) == same->Matches(item), "both spellings match the same entries");
  }
  return 0;
}
