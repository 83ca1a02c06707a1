#include "service/query/entry_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/time/duration.h"
#include "service/json/json_value.h"
#include "service/query/evaluate.h"
#include "service/query/filter_lexer.h"

namespace holdfast::query {
namespace {

constexpr std::array<std::string_view, 8> kFields = {"key",        "size",       "content_type", "created_at",
                                                     "updated_at", "expires_at", "tags",         "metadata"};

Literal InstantOf(Timestamp when) {
  return std::int64_t{when.time_since_epoch().count()};
}

}  // namespace

Result<EntryFilter::Field> EntryFilter::FindField(const Comparison& comparison) {
  const auto found = std::find(kFields.begin(), kFields.end(), comparison.path.front());
  const auto field = static_cast<Field>(found - kFields.begin());
  if (found == kFields.end() || (field != Field::kMetadata && comparison.path.size() > 1)) {
    return ErrorAt(comparison.position, fmt::format("entries have no \"{}\"; they have {}, and members of metadata",
                                                    PathText(comparison.path), fmt::join(kFields, ", ")));
  }
  return field;
}

Status EntryFilter::Bind(Field field, Comparison* comparison) {
  const auto wrong = [&](std::string_view remedy) {
    return ErrorAt(comparison->position, fmt::format("{} {}", PathText(comparison->path), remedy));
  };
  if (comparison->op == Operator::kExists || field == Field::kMetadata) return {};
  if (field == Field::kTags) {
    if (comparison->op != Operator::kHas) return wrong("is a list; ask for one tag with: tags has \"eu\"");
  } else if (comparison->op == Operator::kHas) {
    return wrong("is no list; compare it with =");
  }
  for (Literal& literal : comparison->literals) {
    auto* text = std::get_if<std::string>(&literal);
    if (field == Field::kSize) {
      const bool is_number = std::holds_alternative<std::int64_t>(literal) || std::holds_alternative<double>(literal);
      if (!is_number) return wrong("is a number of bytes; compare it with a number");
      continue;
    }
    if (text == nullptr) return wrong("compares with strings only; write one in double quotes");
    if (field == Field::kCreatedAt || field == Field::kUpdatedAt || field == Field::kExpiresAt) {
      const auto when = ParseTimestamp(*text);
      if (!when.ok()) return wrong("is an instant; write one like \"2026-11-21T01:02:03Z\"");
      literal = InstantOf(*when);
    }
  }
  return {};
}

Result<EntryFilter> EntryFilter::Make(Filter filter) {
  std::vector<Condition> conditions;
  for (Comparison& comparison : filter.comparisons) {
    HOLDFAST_ASSIGN_OR_RETURN(const Field field, FindField(comparison));
    HOLDFAST_RETURN_IF_ERROR(Bind(field, &comparison));
    conditions.push_back({field, std::move(comparison)});
  }
  std::stable_partition(conditions.begin(), conditions.end(),
                        [](const Condition& condition) { return condition.field != Field::kMetadata; });
  EntryFilter made;
  made.conditions_ = std::make_shared<const std::vector<Condition>>(std::move(conditions));
  return made;
}

bool EntryFilter::HoldsForTags(const Comparison& comparison, const std::vector<std::string>& tags) {
  if (comparison.op == Operator::kExists) return !tags.empty();
  const auto& wanted = std::get<std::string>(comparison.literals.front());
  return std::find(tags.begin(), tags.end(), wanted) != tags.end();
}

bool EntryFilter::Matches(const storage::KeyedEntry& item) const {
  const storage::Entry& entry = *item.entry;
  std::optional<json::JsonValue> metadata;
  const auto holds = [&](const Condition& condition) {
    const Comparison& comparison = condition.comparison;
    const auto of_value = [&](const Literal& value) {
      return comparison.op == Operator::kExists || Holds(comparison, value);
    };
    switch (condition.field) {
      case Field::kKey:
        return of_value(item.key);
      case Field::kSize:
        return of_value(static_cast<std::int64_t>(item.value_bytes));
      case Field::kContentType:
        return of_value(entry.content_type.empty() ? std::string(storage::kDefaultContentType) : entry.content_type);
      case Field::kCreatedAt:
        return of_value(InstantOf(entry.created_at));
      case Field::kUpdatedAt:
        return of_value(InstantOf(entry.updated_at));
      case Field::kExpiresAt:
        return entry.expires_at && of_value(InstantOf(*entry.expires_at));
      case Field::kTags:
        return HoldsForTags(comparison, entry.tags);
      case Field::kMetadata:
        break;
    }
    if (entry.metadata.empty()) return false;
    if (!metadata) {
      auto parsed = json::ParseJson(entry.metadata);
      if (!parsed.ok()) return false;  // it was checked when it was written; what cannot be read satisfies nothing
      metadata = std::move(parsed).value();
    }
    return Holds(comparison, FindPath(*metadata, comparison.path, 1));
  };
  return std::all_of(conditions_->begin(), conditions_->end(), holds);
}

}  // namespace holdfast::query
