// One loading of settings: takes the sources in rising order, collects values and everything that is wrong.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "base/config/yaml_tree.h"

namespace holdfast::config {

bool HasStar(std::string_view name);
// "listen.idle-timeout" → "HOLDFAST_LISTEN_IDLE_TIMEOUT".
std::string EnvironmentName(std::string_view prefix, std::string_view name);

class Loading {
 public:
  Loading(const std::vector<Setting>& rows, const Sources& sources, std::vector<Problem>* problems)
      : rows_(rows), sources_(sources), problems_(problems), problems_before_(problems->size()) {}

  std::optional<Settings> Run();

 private:
  // A row together with what stands in the place of its star, if it has one.
  struct Match {
    const Setting* row = nullptr;
    std::string star_name;
  };

  void Default();
  void ReadFile(const std::string& path);
  void ReadMap(const YamlNode& map, const std::string& prefix);
  void ReadEntry(const YamlNode& key, const YamlNode& value, const std::string& name);
  void ReadEnvironment();
  void ReadFlags();

  std::optional<Match> FindRow(std::string_view name) const;
  // True when rows lie below `name`; remembers the name in the place of a star.
  bool EnterSection(const std::string& where, const std::string& name);
  // Checks `text` and keeps it; `list` when it came as a sequence.
  void Set(const std::string& where, const std::string& name, const Match& match, std::string text,
           std::optional<std::vector<std::string>> list = std::nullopt);
  void Add(const std::string& where, std::string message);
  std::string At(const YamlNode& node) const;
  std::string UnknownSetting(const std::string& name) const;

  const std::vector<Setting>& rows_;
  const Sources& sources_;
  std::vector<Problem>* const problems_;
  const std::size_t problems_before_;
  Settings settings_;
  std::map<std::string, std::set<std::string>> star_names_;  // by what stands before the star: "backends" → main, cache
  std::set<std::string> given_in_file_;
};

}  // namespace holdfast::config
