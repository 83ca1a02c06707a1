// Settings as a table: each row is a name, type, default, bounds and one line of description. Values come from, in
// rising order: default, YAML file, environment, flag. Every error of every source is reported at once, with file:line;
// an unknown name is refused with the nearest known one. A binary with errors in its settings exits with status 2.
//
// Names are dotted paths: "listen.port" is `listen: {port: 8080}` in YAML, HOLDFAST_LISTEN_PORT in the environment and
// --listen.port=8080 as a flag. A row "backends.*.path" holds for every name in the place of the star; such rows are
// set by file or flag (not by the environment, where the name could not be told from the path). Such a name is 1 to 63
// letters, digits, '-' or '_'. A row has at most one star. In a file, null means not set.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::config {

enum class Type {
  kString,
  kBool,
  kInteger,
  kBytes,     // "64Ki", "10Mi", "1Gi", "500k", "10M" or a plain number of bytes
  kDuration,  // base/time/duration.h
  kChoice,    // one of `choices`
  kList,      // YAML sequence, or comma-separated text
};

// Every member has an initializer, so that rows can be written with the names of only those that matter.
struct Setting {
  std::string name{};
  Type type = Type::kString;
  std::string default_value{};            // as it would be written; empty = no default
  std::string description{};              // one sentence, for --help and docs/configuration.md
  std::optional<std::int64_t> minimum{};  // kInteger: itself; kBytes: bytes; kDuration: microseconds
  std::optional<std::int64_t> maximum{};
  std::vector<std::string> choices{};
  bool secret = false;  // shown as "****" wherever settings are printed
};

// One thing wrong. `where` is "holdfast.yaml:12", "environment HOLDFAST_LISTEN_PORT" or "flag --listen.port".
struct Problem {
  std::string where;
  std::string message;  // names the setting, the limit and the remedy
};

// Immutable once loaded; safe to read from any thread. Asking for a name that is not in the table, or as another type,
// aborts: names are literals of this program. A setting without default that nothing set reads as "", false, 0 or an
// empty list; ask IsSet where that matters.
class Settings {
 public:
  std::string String(std::string_view name) const;  // kString, kChoice
  bool Bool(std::string_view name) const;
  std::int64_t Integer(std::string_view name) const;
  std::uint64_t Bytes(std::string_view name) const;
  std::chrono::microseconds Duration(std::string_view name) const;
  std::vector<std::string> List(std::string_view name) const;
  // True when a file, the environment or a flag set it.
  bool IsSet(std::string_view name) const;
  // The names that stand in the place of the star: Names("backends") for rows "backends.*...". Sorted.
  std::vector<std::string> Names(std::string_view prefix) const;
  // The names of what is set or reads otherwise than in `other`, of the same table. Sorted.
  std::vector<std::string> ChangedSince(const Settings& other) const;
  // Every row and value as YAML, secrets masked; what `check-config` prints. A settings file that says the same, but
  // for the secrets.
  std::string ToYaml() const;

 private:
  friend class SettingsTable;
  friend class Loading;
  struct Value {
    std::string text;
    Type type = Type::kString;
    bool is_set = false;
    bool secret = false;
    std::vector<std::string> list;
  };
  const Value& Find(std::string_view name, Type type) const;

  std::map<std::string, Value, std::less<>> values_;  // full names; star rows expanded per name
};

struct Sources {
  std::optional<std::string> file;                 // path of a YAML file
  std::map<std::string, std::string> environment;  // only names beginning with the prefix are looked at
  std::string environment_prefix = "HOLDFAST_";
  // Names with the prefix that are no settings. What Kubernetes sets in a pod for each Service (HOLDFAST_SERVICE_HOST,
  // HOLDFAST_PORT_8080_TCP_ADDR and the like, for a Service called holdfast) is recognised and needs no mention.
  std::set<std::string> environment_ignored = {"HOLDFAST_SEED"};
  // "--listen.port=8080", or "--listen.port", "8080"; "--log.color" alone is true for a kBool.
  std::vector<std::string> flags;
};

class SettingsTable {
 public:
  // Aborts when the table itself is wrong (a name twice, a default outside its bounds): it is part of the program.
  explicit SettingsTable(std::vector<Setting> rows);
  const std::vector<Setting>& rows() const { return rows_; }

  // Either settings or, appended to `problems`, everything that is wrong; nullopt exactly when a problem was added.
  std::optional<Settings> Load(const Sources& sources, std::vector<Problem>* problems) const;
  // The table for docs/configuration.md and for --help.
  std::string ToMarkdown() const;
  std::string ToHelp() const;

 private:
  std::vector<Setting> rows_;
};

// "64Ki" and the like, as Kubernetes writes quantities of bytes, up to 2^63-1; fractions ("1.5Gi") must come out whole.
Result<std::uint64_t> ParseBytes(std::string_view text);

}  // namespace holdfast::config
