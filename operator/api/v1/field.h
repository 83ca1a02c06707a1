// One description of a custom resource's fields, from which everything else is made: the CRD's structural schema and
// CEL rules, the defaults, our own validation (for `plan` and for objects that reach the controller past an older CRD)
// and the field reference in docs/. A Field is a node of that tree.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::api {

using Json = nlohmann::json;

// One thing wrong. `path` is spelled as kubectl spells it: "spec.backends[0].embedded.storage.size".
struct FieldError {
  std::string path;
  std::string message;  // names the limit and the remedy
  std::string ToString() const { return path + ": " + message; }
  friend bool operator==(const FieldError&, const FieldError&) = default;
};

enum class FieldType {
  kObject,
  kList,
  kMap,  // string keys, one item schema
  kString,
  kInteger,
  kBoolean,
  kBytes,     // a string such as "10Gi": a positive whole number with a unit of 1000 or 1024
  kQuantity,  // a Kubernetes quantity, text or a bare number: "500m", "2", 2
  kDuration,  // a string such as "90s", "1h30m", "7d"; above zero
  kTime,      // RFC 3339
};

// A rule over several fields, said twice: for the API server in CEL and for us in C++. A test puts the same objects to
// both and holds the answers equal.
struct Rule {
  std::string cel;
  std::string message;
  // The paths, relative to the field that has the rule, at which it is broken ("" = the field itself); empty = it
  // holds. `self` is valid in itself and has its defaults. `old` is nullptr when the object is new.
  std::function<std::vector<std::string>(const Json& self, const Json* old)> broken_at;
  // Compares with the former state (CEL's oldSelf); not asked on creation.
  bool transition = false;
  // Where the API server reports it, as CEL's fieldPath wants it: ".size".
  std::string field_path = {};
};

struct Field {
  std::string name = {};
  FieldType type = FieldType::kObject;
  std::string description = {};
  bool required = false;
  Json default_value = nullptr;  // null = none

  std::optional<std::int64_t> minimum = {};  // kInteger
  std::optional<std::int64_t> maximum = {};
  std::string minimum_quantity = {};  // kBytes
  std::string maximum_quantity = {};
  std::string minimum_duration = {};  // kDuration; below a day, in the units of CEL: no "d"
  std::string maximum_duration = {};
  std::size_t max_length = 0;             // texts; 0 = none. Bounds the API server's cost estimate of the rules
  std::string pattern = {};               // texts; anchored
  std::string pattern_words = {};         // the pattern for people
  std::vector<std::string> choices = {};  // texts
  std::size_t min_items = 0;              // kList
  std::size_t max_items = 0;              // kList, kMap; 0 = none
  std::string list_key = {};              // kList: items are unique by this member and merged by it

  std::vector<Field> fields = {};  // kObject
  std::vector<Field> items = {};   // kList, kMap: exactly one
  // Of these members exactly one must be there.
  std::vector<std::string> exactly_one = {};
  std::vector<Rule> rules = {};

  // Comes with a later release: refused with this remedy instead of being dropped in silence. Object and list only.
  std::string later = {};
};

// Gives absent members their defaults, as the API server does on admission; members that are null count as absent.
void ApplyDefaults(const Field& field, Json& value);

// Appends everything that is wrong with `value`, which must have its defaults. Rules of a part are asked only when that
// part is well-formed. `old`: the former state, or nullptr.
void Validate(const Field& field, const Json& value, const Json* old, const std::string& path,
              std::vector<FieldError>* errors);

// What is said when a member of `exactly_one` is missing or one too many is there.
std::string ExactlyOneMessage(const Field& field);

// The texts the types accept, in the schema and here.
inline constexpr char kBytesPattern[] = "^[1-9][0-9]{0,12}(Ki|Mi|Gi|Ti|k|M|G|T)?$";
inline constexpr char kQuantityPattern[] = "^[0-9]{1,15}([.][0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$";
// Of an object that Kubernetes names.
inline constexpr char kObjectNamePattern[] = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$";
// Of a backend or a store.
inline constexpr char kStorageNamePattern[] = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
inline constexpr char kStorageNameWords[] =
    "lower-case letters, digits and dashes, with a letter or digit at both ends";
// Of a key in the data of a Secret or a ConfigMap.
inline constexpr char kKeyPattern[] = "^[-._a-zA-Z0-9]+$";
// At most 29,997 days, which every setting takes that has no limit of its own.
inline constexpr char kDurationPattern[] = "^([0-9]{1,6}(ms|s|m)|[0-9]{1,5}h|[0-9]{1,4}d){1,3}$";

}  // namespace holdfast::api
