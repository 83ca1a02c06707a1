#include "operator/api/v1/reference_tables.h"

#include <vector>

namespace holdfast::api {
namespace {

std::string Code(const std::string& text) {
  return "`" + text + "`";
}

std::string TypeName(const Field& field) {
  switch (field.type) {
    case FieldType::kObject:
      return "object";
    case FieldType::kList:
      return "list";
    case FieldType::kMap:
      return "map";
    case FieldType::kInteger:
      return "integer";
    case FieldType::kBoolean:
      return "boolean";
    case FieldType::kBytes:
      return "size";
    case FieldType::kQuantity:
      return "quantity";
    case FieldType::kDuration:
      return "duration";
    case FieldType::kTime:
      return "time";
    case FieldType::kString:
      break;
  }
  return "string";
}

std::string Limits(const Field& field) {
  std::vector<std::string> parts;
  if (field.required) parts.push_back("required");
  if (!field.default_value.is_null() && !field.default_value.is_object()) {
    parts.push_back("default " + Code(field.default_value.is_string() ? field.default_value.get<std::string>()
                                                                      : field.default_value.dump()));
  }
  if (!field.choices.empty()) {
    std::string choices;
    for (const std::string& choice : field.choices) choices += (choices.empty() ? "" : ", ") + Code(choice);
    parts.push_back("one of " + choices);
  }
  if (field.minimum) parts.push_back("at least " + std::to_string(*field.minimum));
  if (field.maximum) parts.push_back("at most " + std::to_string(*field.maximum));
  if (!field.minimum_quantity.empty()) parts.push_back("at least " + field.minimum_quantity);
  if (!field.maximum_quantity.empty()) parts.push_back("at most " + field.maximum_quantity);
  if (!field.minimum_duration.empty()) parts.push_back("at least " + field.minimum_duration);
  if (!field.maximum_duration.empty()) parts.push_back("at most " + field.maximum_duration);
  if (!field.pattern_words.empty()) parts.push_back(field.pattern_words);
  if (field.max_length != 0 && field.choices.empty()) {
    parts.push_back("at most " + std::to_string(field.max_length) + " characters");
  }
  if (field.max_items != 0) {
    parts.push_back((field.min_items != 0 ? std::to_string(field.min_items) + " to " : "at most ") +
                    std::to_string(field.max_items) + " entries");
  }
  if (!field.list_key.empty()) parts.push_back("unique by " + Code(field.list_key));
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

void AppendRows(const Field& field, const std::string& path, std::string& rows, std::string& rules) {
  if (!path.empty()) {
    rows += "| " + Code(path) + " | " + TypeName(field) + " | " + field.description + " | " + Limits(field) + " |\n";
  }
  for (const Rule& rule : field.rules) {
    rules += "- " + (path.empty() ? "" : Code(path) + ": ") + rule.message + ".\n";
  }
  for (const Field& member : field.fields) {
    AppendRows(member, path.empty() ? member.name : path + "." + member.name, rows, rules);
  }
  if (!field.items.empty()) {
    const Field& item = field.items.front();
    for (const Field& member : item.fields) AppendRows(member, path + "[]." + member.name, rows, rules);
    for (const Rule& rule : item.rules) rules += "- " + Code(path + "[]") + ": " + rule.message + ".\n";
    if (!item.exactly_one.empty()) rules += "- " + Code(path + "[]") + ": " + ExactlyOneMessage(item) + ".\n";
  }
}

}  // namespace

std::string FieldTables(const Field& root) {
  const std::string header = "| Field | Type | Meaning | Limits |\n|---|---|---|---|\n";
  std::string page;
  std::string rules;
  for (const Field& part : root.fields) {
    std::string rows;
    AppendRows(part, part.name, rows, rules);
    page += "## " + part.name + "\n\n" + header + rows + "\n";
  }
  for (const Rule& rule : root.rules) rules += "- " + rule.message + ".\n";
  return page + "## Rules\n\n" + rules;
}

}  // namespace holdfast::api
