#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>

#include "base/config/settings.h"
#include "base/config/settings_load.h"
#include "base/config/settings_value.h"

namespace holdfast::config {
namespace {

[[noreturn]] void Die(const Setting& row, const std::string& why) {
  std::fprintf(stderr, "settings table, row %s: %s\n", row.name.c_str(), why.c_str());
  std::abort();
}

// '|' ends a cell of a Markdown table.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell.push_back('\\');
    cell.push_back(c);
  }
  return cell;
}

std::string Code(std::string_view text) {
  return text.empty() ? "" : "`" + Cell(text) + "`";
}

std::string WithBounds(const Setting& row) {
  const std::string bounds = BoundsText(row);
  return bounds.empty() ? TypeText(row) : TypeText(row) + ", " + bounds;
}

}  // namespace

SettingsTable::SettingsTable(std::vector<Setting> rows) : rows_(std::move(rows)) {
  std::set<std::string> names;
  std::set<std::string> environment;
  for (const Setting& row : rows_) {
    if (!names.insert(row.name).second) Die(row, "is there twice");
    if (row.description.empty()) Die(row, "has no description");
    if (std::count(row.name.begin(), row.name.end(), '*') > 1) Die(row, "has more than one star");
    if (!HasStar(row.name) && !environment.insert(EnvironmentName("", row.name)).second) {
      Die(row, "has the environment name of another row");
    }
    if (row.type == Type::kChoice && row.choices.empty()) Die(row, "has no choices");
    if (row.default_value.empty()) continue;
    if (const auto wrong = WhatIsWrong(row, row.default_value)) Die(row, "its default: " + *wrong);
    if (row.type == Type::kList && !SplitList(row.default_value)) Die(row, "its default has an empty item");
  }
  for (const Setting& row : rows_) {
    for (std::size_t dot = row.name.find('.'); dot != std::string::npos; dot = row.name.find('.', dot + 1)) {
      if (names.contains(row.name.substr(0, dot))) Die(row, "lies below another row");
    }
  }
}

std::optional<Settings> SettingsTable::Load(const Sources& sources, std::vector<Problem>* problems) const {
  return Loading(rows_, sources, problems).Run();
}

std::string SettingsTable::ToMarkdown() const {
  std::string text =
      "| Setting | Environment | Value | Default | Meaning |\n"
      "|---|---|---|---|---|\n";
  for (const Setting& row : rows_) {
    const std::string environment = HasStar(row.name) ? "" : EnvironmentName("HOLDFAST_", row.name);
    fmt::format_to(std::back_inserter(text), "| `{}` | {} | {} | {} | {} |\n", row.name, Code(environment),
                   Cell(WithBounds(row)), Code(row.secret ? "" : row.default_value), Cell(row.description));
  }
  return text;
}

std::string SettingsTable::ToHelp() const {
  std::string text;
  for (const Setting& row : rows_) {
    fmt::format_to(std::back_inserter(text), "  --{}  ({}{}{})\n      {}\n", row.name, WithBounds(row),
                   row.default_value.empty() || row.secret ? "" : "; default ", row.secret ? "" : row.default_value,
                   row.description);
  }
  return text;
}

}  // namespace holdfast::config
