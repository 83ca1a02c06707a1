#include "operator/api/v1/field.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <regex>
#include <set>

#include "base/config/settings.h"
#include "base/time/duration.h"

namespace holdfast::api {

namespace {

constexpr std::size_t kMaximumUnpatternedText = 4096;  // std::regex recurses per character

std::string TypeWords(FieldType type) {
  switch (type) {
    case FieldType::kObject:
    case FieldType::kMap:
      return "an object";
    case FieldType::kList:
      return "a list";
    case FieldType::kInteger:
      return "a whole number";
    case FieldType::kBoolean:
      return "true or false";
    case FieldType::kBytes:
      return "a size in quotes or with a unit, such as 10Gi";
    case FieldType::kQuantity:
      return "a quantity, such as 500m or 1Gi";
    case FieldType::kDuration:
      return "a duration, such as 90s or 1h30m";
    case FieldType::kTime:
      return "a time, such as 2026-01-31T12:00:00Z";
    case FieldType::kString:
      break;
  }
  return "a text";
}

bool HasType(const Field& field, const Json& value) {
  switch (field.type) {
    case FieldType::kObject:
    case FieldType::kMap:
      return value.is_object();
    case FieldType::kList:
      return value.is_array();
    case FieldType::kInteger:
      return value.is_number_integer();
    case FieldType::kBoolean:
      return value.is_boolean();
    case FieldType::kQuantity:
      return value.is_string() || value.is_number_integer();
    case FieldType::kString:
    case FieldType::kBytes:
    case FieldType::kDuration:
    case FieldType::kTime:
      break;
  }
  return value.is_string();
}

// As JSON, whatever bytes are in it.
std::string Quoted(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Patterns are few and compiling one costs more than all its matches. Never called with a text beyond its max_length.
bool Matches(const std::string& text, const std::string& pattern) {
  static std::mutex mutex;
  static std::map<std::string, std::regex> compiled;
  const std::regex* regex = nullptr;
  {
    const std::lock_guard lock(mutex);
    auto found = compiled.find(pattern);
    if (found == compiled.end()) found = compiled.emplace(pattern, std::regex(pattern)).first;
    regex = &found->second;  // nothing is ever taken out
  }
  return std::regex_match(text, *regex);
}

std::string Joined(const std::vector<std::string>& words, const char* separator = ", ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

// Levenshtein distance, for "did you mean".
std::size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string UnknownFieldMessage(const Field& parent, const std::string& name) {
  std::vector<std::string> known;
  const Field* nearest = nullptr;
  std::size_t nearest_distance = 4;
  for (const Field& member : parent.fields) {
    if (!member.later.empty()) continue;
    known.push_back(member.name);
    const std::size_t distance = name.size() > 64 ? 64 : EditDistance(name, member.name);
    if (distance < nearest_distance) {
      nearest = &member;
      nearest_distance = distance;
    }
  }
  std::string message = "there is no such field; ";
  if (nearest != nullptr) return message + "did you mean " + nearest->name + "?";
  return message + "known here: " + Joined(known);
}

const Json* Member(const Json* object, const std::string& name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

const Json* OldItem(const Field& list, const Json& item, const Json* old) {
  if (old == nullptr || !old->is_array() || list.list_key.empty()) return nullptr;
  const Json* key = Member(&item, list.list_key);
  if (key == nullptr) return nullptr;
  for (const Json& candidate : *old) {
    const Json* candidate_key = Member(&candidate, list.list_key);
    if (candidate_key != nullptr && *candidate_key == *key) return &candidate;
  }
  return nullptr;
}

class Validator {
 public:
  explicit Validator(std::vector<FieldError>* errors) : errors_(*errors) {}

  void Visit(const Field& field, const Json& value, const Json* old, const std::string& path) {
    const std::size_t before = errors_.size();
    if (!HasType(field, value)) {
      Add(path, "must be " + TypeWords(field.type) + ", not " + std::string(value.type_name()));
      return;
    }
    switch (field.type) {
      case FieldType::kObject:
        VisitObject(field, value, old, path);
        break;
      case FieldType::kList:
        VisitList(field, value, old, path);
        break;
      case FieldType::kMap:
        for (const auto& [name, item] : value.items()) {
          Visit(field.items.front(), item, Member(old, name), path + "[" + name + "]");
        }
        break;
      case FieldType::kInteger:
        VisitInteger(field, value, path);
        break;
      case FieldType::kQuantity:
        VisitQuantity(value, path);
        break;
      case FieldType::kBoolean:
        break;
      case FieldType::kString:
      case FieldType::kBytes:
      case FieldType::kDuration:
      case FieldType::kTime:
        VisitText(field, value.get_ref<const std::string&>(), path);
        break;
    }
    if (errors_.size() != before) return;
    for (const Rule& rule : field.rules) {
      if (rule.transition && old == nullptr) continue;
      for (const std::string& relative : rule.broken_at(value, old)) Add(Join(path, relative), rule.message);
    }
  }

 private:
  static std::string Join(const std::string& path, const std::string& relative) {
    if (path.empty() || relative.empty() || relative.front() == '[') return path + relative;
    return path + "." + relative;
  }

  void Add(const std::string& path, std::string message) { errors_.push_back({path, std::move(message)}); }

  void VisitObject(const Field& field, const Json& value, const Json* old, const std::string& path) {
    for (const auto& [name, member_value] : value.items()) {
      const auto member = std::find_if(field.fields.begin(), field.fields.end(),
                                       [&name = name](const Field& candidate) { return candidate.name == name; });
      const bool of_every_object = path.empty() && (name == "apiVersion" || name == "kind" || name == "metadata");
      if (member == field.fields.end()) {
        if (!of_every_object) Add(Join(path, name), UnknownFieldMessage(field, name));
      } else if (!member->later.empty()) {
        Add(Join(path, name), member->later);
      } else {
        Visit(*member, member_value, Member(old, name), Join(path, name));
      }
    }
    for (const Field& member : field.fields) {
      if (member.required && !value.contains(member.name)) {
        Add(Join(path, member.name), "is required: " + TypeWords(member.type));
      }
    }
    if (!field.exactly_one.empty()) {
      const auto present = std::count_if(field.exactly_one.begin(), field.exactly_one.end(),
                                         [&](const std::string& name) { return value.contains(name); });
      if (present != 1) Add(path, ExactlyOneMessage(field));
    }
  }

  void VisitList(const Field& field, const Json& value, const Json* old, const std::string& path) {
    if (value.size() < field.min_items) {
      Add(path, "needs at least " + std::to_string(field.min_items) + (field.min_items == 1 ? " entry" : " entries"));
    }
    if (field.max_items != 0 && value.size() > field.max_items) {
      Add(path, "has " + std::to_string(value.size()) + " entries; at most " + std::to_string(field.max_items) +
                    " are allowed");
      return;
    }
    std::set<Json> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string item_path = path + "[" + std::to_string(i) + "]";
      Visit(field.items.front(), value[i], OldItem(field, value[i], old), item_path);
      const Json* key = field.list_key.empty() ? nullptr : Member(&value[i], field.list_key);
      if (key != nullptr && !seen.insert(*key).second) {
        Add(Join(item_path, field.list_key),
            key->dump() + " is there twice; every " + field.list_key + " in this list must be different");
      }
    }
  }

  void VisitInteger(const Field& field, const Json& value, const std::string& path) {
    const bool huge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (field.minimum && !huge && value.get<std::int64_t>() < *field.minimum) {
      Add(path, "is " + value.dump() + "; must be at least " + std::to_string(*field.minimum));
    }
    if (field.maximum && (huge || value.get<std::int64_t>() > *field.maximum)) {
      Add(path, "is " + value.dump() + "; must be at most " + std::to_string(*field.maximum));
    }
  }

  void VisitQuantity(const Json& value, const std::string& path) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.size() > 32 || !Matches(text, kQuantityPattern)) {
      Add(path, Quoted(value) + " is no quantity; write a number with or without a unit, such as 500m, 2, 512Mi");
    }
  }

  void VisitText(const Field& field, const std::string& text, const std::string& path) {
    const std::size_t limit = field.max_length != 0 ? field.max_length : kMaximumUnpatternedText;
    if (text.size() > limit) {
      Add(path,
          "has " + std::to_string(text.size()) + " characters; at most " + std::to_string(limit) + " are allowed");
      return;
    }
    if (!field.choices.empty()) {
      if (std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end()) {
        Add(path, "is " + Quoted(text) + "; must be one of " + Joined(field.choices));
      }
      return;
    }
    if (!field.pattern.empty() && !Matches(text, field.pattern)) {
      Add(path, Quoted(text) + " is not allowed; write " + field.pattern_words);
      return;
    }
    if (field.type == FieldType::kBytes) VisitBytes(field, text, path);
    if (field.type == FieldType::kDuration) VisitDuration(field, text, path);
    if (field.type == FieldType::kTime && !ParseTimestamp(text).ok()) Add(path, "must be " + TypeWords(field.type));
  }

  void VisitBytes(const Field& field, const std::string& text, const std::string& path) {
    if (!Matches(text, kBytesPattern)) {
      Add(path, Quoted(text) + " is no size; write a whole number above zero with a unit, such as 512Mi or 10Gi");
      return;
    }
    const auto bytes = config::ParseBytes(text);
    if (!bytes.ok()) {
      Add(path, bytes.error().message());
      return;
    }
    if (!field.minimum_quantity.empty() && *bytes < config::ParseBytes(field.minimum_quantity).value()) {
      Add(path, "is " + text + "; must be at least " + field.minimum_quantity);
    }
    if (!field.maximum_quantity.empty() && *bytes > config::ParseBytes(field.maximum_quantity).value()) {
      Add(path, "is " + text + "; must be at most " + field.maximum_quantity);
    }
  }

  void VisitDuration(const Field& field, const std::string& text, const std::string& path) {
    const auto duration = ParseDuration(text);
    if (!Matches(text, kDurationPattern) || !duration.ok() || *duration <= std::chrono::microseconds{0}) {
      Add(path,
          Quoted(text) +
              " is no duration above zero; write whole numbers with a unit (ms, s, m, h, d), such as 90s or 1h30m");
      return;
    }
    // In days is beyond any maximum, whatever the number is: CEL has no days.
    const bool days = text.find('d') != std::string::npos;
    if (!field.minimum_duration.empty() && !days && *duration < ParseDuration(field.minimum_duration).value()) {
      Add(path, "is " + text + "; must be at least " + field.minimum_duration);
    }
    if (!field.maximum_duration.empty() && (days || *duration > ParseDuration(field.maximum_duration).value())) {
      Add(path, "is " + text + "; must be at most " + field.maximum_duration);
    }
  }

  std::vector<FieldError>& errors_;
};

}  // namespace

std::string ExactlyOneMessage(const Field& field) {
  std::vector<std::string> available;
  for (const Field& member : field.fields) {
    const bool listed =
        std::find(field.exactly_one.begin(), field.exactly_one.end(), member.name) != field.exactly_one.end();
    if (listed && member.later.empty()) available.push_back(member.name);
  }
  if (available.size() == 1) return "must have " + available.front();
  return "must have exactly one of: " + Joined(available);
}

void ApplyDefaults(const Field& field, Json& value) {
  if (field.type == FieldType::kObject && value.is_object()) {
    for (auto member = value.begin(); member != value.end();) {
      member = member->is_null() ? value.erase(member) : std::next(member);
    }
    for (const Field& member : field.fields) {
      if (!member.default_value.is_null() && !value.contains(member.name)) value[member.name] = member.default_value;
      if (const auto found = value.find(member.name); found != value.end()) ApplyDefaults(member, *found);
    }
  } else if (field.type == FieldType::kList && value.is_array() && !field.items.empty()) {
    for (Json& item : value) ApplyDefaults(field.items.front(), item);
  }
}

void Validate(const Field& field, const Json& value, const Json* old, const std::string& path,
              std::vector<FieldError>* errors) {
  Validator(errors).Visit(field, value, old, path);
}

}  // namespace holdfast::api
