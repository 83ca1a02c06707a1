#include "base/config/settings_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/config/nearest.h"
#include "base/config/settings_value.h"

namespace holdfast::config {
namespace {

constexpr std::size_t kMaxStarName = 63;

bool IsStarName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxStarName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// "backends.*.path" → "backends." and ".path".
std::pair<std::string_view, std::string_view> AroundStar(std::string_view row_name) {
  const std::size_t star = row_name.find('*');
  return {row_name.substr(0, star), row_name.substr(star + 1)};
}

// What stands for the star in `name`, when the row matches it.
std::optional<std::string_view> StarName(std::string_view row_name, std::string_view name) {
  const auto [before, after] = AroundStar(row_name);
  if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view star = name.substr(before.size(), name.size() - before.size() - after.size());
  if (!IsStarName(star)) return std::nullopt;
  return star;
}

std::size_t Segments(std::string_view name) {
  return 1 + static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
}

std::string_view FirstSegments(std::string_view name, std::size_t count) {
  std::size_t end = name.find('.');
  for (; count > 1 && end != name.npos; --count) end = name.find('.', end + 1);
  return name.substr(0, end);
}

std::string_view Segment(std::string_view name, std::size_t index) {
  for (; index > 0; --index) name.remove_prefix(std::min(name.find('.'), name.size() - 1) + 1);
  return name.substr(0, name.find('.'));
}

// What Kubernetes puts into the environment of every pod of a namespace for a Service there.
bool IsServiceLink(std::string_view name, std::string_view value) {
  if (name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.find("_SERVICE_PORT_") != name.npos) {
    return true;
  }
  const auto has_protocol = [&](std::string_view tail) {
    return tail.find("_TCP") != tail.npos || tail.find("_UDP") != tail.npos || tail.find("_SCTP") != tail.npos;
  };
  const std::size_t port = name.find("_PORT_");
  if (port != name.npos && has_protocol(name.substr(port))) return true;
  return name.ends_with("_PORT") &&
         (value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://"));
}

}  // namespace

bool HasStar(std::string_view name) {
  return name.find('*') != std::string_view::npos;
}

std::string EnvironmentName(std::string_view prefix, std::string_view name) {
  std::string environment(prefix);
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    environment.push_back(c == '.' || c == '-' ? '_' : lower ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return environment;
}

std::optional<Settings> Loading::Run() {
  if (sources_.file) ReadFile(*sources_.file);
  ReadEnvironment();
  ReadFlags();
  Default();
  if (problems_->size() != problems_before_) return std::nullopt;
  return std::move(settings_);
}

void Loading::Default() {
  const auto give = [&](const Setting& row, const std::string& name) {
    Settings::Value value;
    value.text = row.default_value;
    value.type = row.type;
    value.secret = row.secret;
    if (row.type == Type::kList) value.list = SplitList(row.default_value).value_or(std::vector<std::string>());
    settings_.values_.try_emplace(name, std::move(value));
  };
  for (const Setting& row : rows_) {
    if (!HasStar(row.name)) {
      give(row, row.name);
      continue;
    }
    const auto [before, after] = AroundStar(row.name);
    for (const std::string& name : star_names_[std::string(before)]) {
      give(row, std::string(before).append(name).append(after));
    }
  }
}

void Loading::ReadEnvironment() {
  std::map<std::string, const Setting*> known;
  for (const Setting& row : rows_) {
    if (!HasStar(row.name)) known[EnvironmentName(sources_.environment_prefix, row.name)] = &row;
  }
  for (const auto& [name, value] : sources_.environment) {
    if (!name.starts_with(sources_.environment_prefix) || sources_.environment_ignored.contains(name)) continue;
    const std::string where = "environment " + name;
    if (const auto row = known.find(name); row != known.end()) {
      Set(where, row->second->name, {row->second, ""}, value);
    } else if (!IsServiceLink(name, value)) {
      std::vector<std::string> names;
      for (const auto& [known_name, ignored] : known) names.push_back(known_name);
      const std::optional<std::string> nearest = Nearest(name, names);
      Add(where, nearest ? fmt::format("no setting has this name; did you mean {}?", *nearest)
                         : "no setting has this name; unset it, or see --help for the names");
    }
  }
}

void Loading::ReadFlags() {
  std::set<std::string> given;
  for (std::size_t i = 0; i < sources_.flags.size(); ++i) {
    const std::string& flag = sources_.flags[i];
    if (!flag.starts_with("--") || flag.size() == 2) {
      Add("flag " + flag, "is no flag; write --name=value");
      continue;
    }
    const std::size_t equals = flag.find('=');
    const std::string name = flag.substr(2, equals == flag.npos ? flag.npos : equals - 2);
    const std::string where = "flag --" + name;
    const bool has_next = i + 1 < sources_.flags.size() && !sources_.flags[i + 1].starts_with("--");
    const std::optional<Match> match = FindRow(name);
    if (!match) {
      Add(where, UnknownSetting(name));
      // What follows without dashes was meant for it.
      if (equals == flag.npos && has_next) ++i;
      continue;
    }
    std::string value;
    if (equals != flag.npos) {
      value = flag.substr(equals + 1);
    } else if (match->row->type == Type::kBool) {
      const bool said = has_next && (sources_.flags[i + 1] == "true" || sources_.flags[i + 1] == "false");
      value = said ? sources_.flags[++i] : "true";
    } else if (has_next) {
      value = sources_.flags[++i];
    } else {
      Add(where, fmt::format("has no value; write --{}=value", name));
      continue;
    }
    if (!given.insert(name).second) {
      Add(where, "is given twice; give it once");
      continue;
    }
    Set(where, name, *match, std::move(value));
  }
}

std::optional<Loading::Match> Loading::FindRow(std::string_view name) const {
  for (const Setting& row : rows_) {
    if (row.name == name && !HasStar(name)) return Match{&row, ""};
    if (!HasStar(row.name)) continue;
    if (const auto star = StarName(row.name, name)) return Match{&row, std::string(*star)};
  }
  return std::nullopt;
}

void Loading::Set(const std::string& where, const std::string& name, const Match& match, std::string text,
                  std::optional<std::vector<std::string>> list) {
  const Setting& row = *match.row;
  if (HasStar(row.name)) star_names_[std::string(AroundStar(row.name).first)].insert(match.star_name);
  if (row.type == Type::kList && !list) {
    list = SplitList(text);
    if (!list) {
      Add(where, fmt::format("{}: an item is empty; separate items by single commas", name));
      return;
    }
  }
  if (const std::optional<std::string> wrong = WhatIsWrong(row, text)) {
    Add(where, fmt::format("{}: {}", name, *wrong));
    return;
  }
  Settings::Value value;
  value.text = std::move(text);
  value.type = row.type;
  value.is_set = true;
  value.secret = row.secret;
  if (list) value.list = std::move(*list);
  settings_.values_.insert_or_assign(name, std::move(value));
}

void Loading::Add(const std::string& where, std::string message) {
  problems_->push_back({where, std::move(message)});
}

std::string Loading::UnknownSetting(const std::string& name) const {
  // A name is compared with rows and sections of its own depth, in which the star reads like the name given.
  std::vector<std::string> known;
  const std::size_t depth = Segments(name);
  for (const Setting& row : rows_) {
    std::string candidate(FirstSegments(row.name, depth));
    if (HasStar(candidate)) {
      const std::size_t star = Segments(AroundStar(candidate).first) - 1;
      candidate.replace(candidate.find('*'), 1, Segment(name, star));
    }
    known.push_back(std::move(candidate));
  }
  for (const Setting& row : rows_) {
    if (!HasStar(row.name)) known.push_back(row.name);
  }
  if (const std::optional<std::string> nearest = Nearest(name, known); nearest && *nearest != name) {
    return fmt::format("there is no setting {}; did you mean {}?", name, *nearest);
  }
  return fmt::format("there is no setting {}; see --help for the names", name);
}

bool Loading::EnterSection(const std::string& where, const std::string& name) {
  const std::string below = name + ".";
  bool entered = false;
  for (const Setting& row : rows_) {
    if (row.name.starts_with(below)) entered = true;
    if (!HasStar(row.name)) continue;
    const auto [before, after] = AroundStar(row.name);
    if (!name.starts_with(before)) continue;
    const std::string_view rest = std::string_view(name).substr(before.size());
    const std::string_view star = rest.substr(0, rest.find('.'));
    const std::string_view deeper = rest.substr(star.size());
    if (!after.starts_with(std::string(deeper) + ".")) continue;
    if (!IsStarName(star)) {
      Add(where, fmt::format("'{}' cannot be a name; use 1 to {} letters, digits, '-' or '_'", star, kMaxStarName));
      return true;
    }
    star_names_[std::string(before)].insert(std::string(star));
    entered = true;
  }
  return entered;
}

}  // namespace holdfast::config
