// Structured logging. One line per event: JSON when standard error is not a terminal, a short human line when it is.
// Thread-safe. Lines are written whole; a reader never sees two interleaved. Values given here are logged as they are:
// secrets never come this way (config::Secret has no string conversion for that reason).
//
//   log::Info("backend opened", {{"backend", name}, {"entries", count}});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace holdfast::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kAuto, kJson, kHuman };

class Field {
 public:
  Field(std::string_view name, std::string_view value) : name_(name), value_(std::string(value)) {}
  // A null pointer is logged as "".
  Field(std::string_view name, const char* value) : name_(name), value_(std::string(value == nullptr ? "" : value)) {}
  Field(std::string_view name, const std::string& value) : name_(name), value_(value) {}
  Field(std::string_view name, bool value) : name_(name), value_(value) {}
  Field(std::string_view name, double value) : name_(name), value_(value) {}
  template <typename Integer>
  requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>) Field(std::string_view name, Integer value)
      : name_(name), value_(Widened<Integer>(value)) {}

  using Value = std::variant<std::string, bool, double, std::int64_t, std::uint64_t>;
  const std::string& name() const { return name_; }
  const Value& value() const { return value_; }

 private:
  template <typename Integer>
  using Widened = std::conditional_t<std::is_signed_v<Integer>, std::int64_t, std::uint64_t>;

  std::string name_;
  Value value_;
};

struct Options {
  Level level = Level::kInfo;
  Format format = Format::kAuto;
  // Stands in every line as "component": "holdfast", "holdfast-operator".
  std::string component;
};

// Called once in main, before the first line; later calls replace the options. Until then: info, auto.
void Configure(const Options& options);
bool Enabled(Level level);

void Write(Level level, std::string_view message, std::initializer_list<Field> fields);
inline void Debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarn, message, fields);
}
inline void Error(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, message, fields);
}

// One finished line without its newline, as Write would print it; what the tests read. JSON: time, level, component and
// message, then the fields in their order; a field with one of those four names is printed with "field_" before it.
// Control characters are escaped in both formats and bytes that are not UTF-8 are printed as \xNN, so that nothing
// logged can forge a line or reach a terminal as a command. kAuto is taken for kJson.
std::string FormatLine(Format format, Level level, std::string_view component, std::string_view message,
                       std::initializer_list<Field> fields, std::string_view time);

}  // namespace holdfast::log
