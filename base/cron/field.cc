#include "base/cron/field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace holdfast::cron {
namespace {

struct Range {
  int first = 0;
  int last = 0;
};

// Takes what stands in front of `end` off the text; all of it where there is no such character.
std::string_view TakeUntil(std::string_view* text, char end) {
  const std::size_t at = std::min(text->find(end), text->size());
  const std::string_view front = text->substr(0, at);
  text->remove_prefix(std::min(at + 1, text->size()));
  return front;
}

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char one, unsigned char other) { return std::tolower(one) == std::tolower(other); });
}

std::optional<int> ParseNumber(std::string_view digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size() && digits.front() != '-';
  return whole ? std::optional(number) : std::nullopt;
}

std::optional<int> ParseValue(std::string_view text, const FieldKind& kind) {
  const auto name =
      std::find_if(kind.names.begin(), kind.names.end(), [&](std::string_view each) { return SameName(each, text); });
  if (name != kind.names.end()) return kind.first + static_cast<int>(name - kind.names.begin());
  const auto number = ParseNumber(text);
  const bool fits = number && *number >= kind.first && *number <= kind.last;
  return fits ? number : std::nullopt;
}

class FieldParser {
 public:
  FieldParser(std::string_view text, const FieldKind& kind) : text_(text), kind_(kind) {}

  Result<Field> Parse() {
    // A comma at the end has an empty term behind it.
    for (std::size_t begin = 0; begin <= text_.size();) {
      const std::size_t end = std::min(text_.find(',', begin), text_.size());
      HOLDFAST_RETURN_IF_ERROR(AddTerm(text_.substr(begin, end - begin)));
      begin = end + 1;
    }
    return field_;
  }

 private:
  Status AddTerm(std::string_view term) {
    const bool stepped = term.find('/') != std::string_view::npos;
    const std::string_view span = TakeUntil(&term, '/');
    const bool all = span == "*" || span == "?";
    HOLDFAST_ASSIGN_OR_RETURN(const Range range,
                              all ? Result<Range>(Range{kind_.first, kind_.last}) : ParseRange(span, stepped));
    int step = 1;
    if (stepped) {
      const auto given = ParseNumber(term);
      const int most = kind_.last - kind_.first + 1;
      if (!given || *given < 1 || *given > most) return Wrong(fmt::format("a step is 1 to {}", most));
      step = *given;
    }
    for (int value = range.first; value <= range.last; value += step)
      field_.values.set(static_cast<std::size_t>(value));
    field_.any = field_.any || (all && step == 1);
    return {};
  }

  Result<Range> ParseRange(std::string_view span, bool stepped) const {
    const bool two = span.find('-') != std::string_view::npos;
    const auto first = ParseValue(TakeUntil(&span, '-'), kind_);
    const auto last = two ? ParseValue(span, kind_) : first;
    if (!first || !last) return Wrong(Allowed());
    if (*last < *first) return Wrong("a range goes upwards; write two of them with a comma for one that goes round");
    return Range{*first, !two && stepped ? kind_.last : *last};
  }

  std::string Allowed() const {
    std::string allowed = fmt::format("a value is {} to {}", kind_.first, kind_.last);
    if (!kind_.names.empty()) allowed += fmt::format(", or {} to {}", kind_.names.front(), kind_.names.back());
    return allowed;
  }
  Error Wrong(std::string_view why) const {
    return {ErrorCode::kInvalidArgument, fmt::format("the {} \"{}\": {}", kind_.name, text_, why)};
  }

  const std::string_view text_;
  const FieldKind& kind_;
  Field field_;
};

}  // namespace

Result<Field> ParseField(std::string_view text, const FieldKind& kind) {
  return FieldParser(text, kind).Parse();
}

}  // namespace holdfast::cron
