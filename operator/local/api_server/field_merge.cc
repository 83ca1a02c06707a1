#include "operator/local/api_server/field_merge.h"

#include <map>
#include <set>
#include <string>

namespace holdfast::local {
namespace {

bool IsKeyedList(const Json& value, const FieldType& type) {
  return value.is_array() && type.ListKind() != FieldType::List::kAtomic;
}

bool IsFieldwise(const Json& value, const FieldType& type) {
  return value.is_object() && !type.IsAtomicObject();
}

std::map<std::string, const Json*> ItemsByElement(const Json& list, const FieldType& type) {
  std::map<std::string, const Json*> items;
  for (const Json& item : list) items.emplace(type.ElementOf(item), &item);
  return items;
}

void CompareChildren(const std::string& element, const Json* before, const Json* after, FieldType type,
                     Difference* difference) {
  Difference below = Compare(before, after, type);
  if (!below.changed.empty()) difference->changed.children.emplace(element, std::move(below.changed));
  if (!below.removed.empty()) difference->removed.children.emplace(element, std::move(below.removed));
}

Difference CompareObjects(const Json& before, const Json& after, const FieldType& type) {
  Difference difference;
  for (const auto& [name, value] : before.items()) {
    auto other = after.find(name);
    CompareChildren("f:" + name, &value, other == after.end() ? nullptr : &*other, type.Field(name), &difference);
  }
  for (const auto& [name, value] : after.items()) {
    if (!before.contains(name)) CompareChildren("f:" + name, nullptr, &value, type.Field(name), &difference);
  }
  return difference;
}

Difference CompareLists(const Json& before, const Json& after, const FieldType& type) {
  Difference difference;
  auto old_items = ItemsByElement(before, type);
  auto new_items = ItemsByElement(after, type);
  auto compare = [&](const std::string& element, const Json* old_item, const Json* new_item) {
    CompareChildren(element, old_item, new_item, type.Item(), &difference);
    if (old_item == nullptr) difference.changed.children[element].member = true;
    if (new_item == nullptr) difference.removed.children[element].member = true;
  };
  for (const auto& [element, item] : old_items) {
    auto other = new_items.find(element);
    compare(element, item, other == new_items.end() ? nullptr : other->second);
  }
  for (const auto& [element, item] : new_items) {
    if (!old_items.contains(element)) compare(element, nullptr, item);
  }
  return difference;
}

Json MergeLists(const Json& live, const Json& applied, const FieldType& type) {
  auto live_items = ItemsByElement(live, type);
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < applied.size(); ++i) position.emplace(type.ElementOf(applied[i]), i);
  Json merged = Json::array();
  std::size_t next = 0;
  auto take_applied_up_to = [&](std::size_t end) {
    for (; next < end; ++next) {
      auto mine = live_items.find(type.ElementOf(applied[next]));
      merged.push_back(mine == live_items.end() ? applied[next] : Merge(*mine->second, applied[next], type.Item()));
    }
  };
  for (const Json& item : live) {
    auto in_applied = position.find(type.ElementOf(item));
    if (in_applied == position.end()) {
      merged.push_back(item);
    } else {
      take_applied_up_to(in_applied->second + 1);
    }
  }
  take_applied_up_to(applied.size());
  return merged;
}

}  // namespace

FieldSet FieldsOf(const Json& value, FieldType type) {
  FieldSet fields;
  if (IsFieldwise(value, type)) {
    for (const auto& [name, below] : value.items()) {
      FieldSet child = FieldsOf(below, type.Field(name));
      if (!child.empty()) fields.children.emplace("f:" + name, std::move(child));
    }
    fields.member = value.empty();
  } else if (IsKeyedList(value, type)) {
    for (const Json& item : value) {
      FieldSet& child = fields.children[type.ElementOf(item)];
      child = FieldsOf(item, type.Item());
      child.member = true;
    }
  } else {
    fields.member = true;
  }
  return fields;
}

Difference Compare(const Json* before, const Json* after, FieldType type) {
  if (before == nullptr && after == nullptr) return {};
  if (before == nullptr) return {FieldsOf(*after, type), {}};
  if (after == nullptr) return {{}, FieldsOf(*before, type)};
  if (*before == *after) return {};
  if (IsFieldwise(*before, type) && IsFieldwise(*after, type)) return CompareObjects(*before, *after, type);
  if (IsKeyedList(*before, type) && IsKeyedList(*after, type)) return CompareLists(*before, *after, type);
  return {FieldsOf(*after, type), {}};
}

Json Merge(const Json& live, const Json& applied, FieldType type) {
  if (IsFieldwise(live, type) && IsFieldwise(applied, type)) {
    Json merged = live;
    for (const auto& [name, value] : applied.items()) {
      auto mine = live.find(name);
      merged[name] = mine == live.end() ? value : Merge(*mine, value, type.Field(name));
    }
    return merged;
  }
  if (IsKeyedList(live, type) && IsKeyedList(applied, type)) return MergeLists(live, applied, type);
  return applied;
}

void Prune(Json& value, const FieldSet& last, const FieldSet& kept, FieldType type) {
  if (IsFieldwise(value, type)) {
    for (const auto& [element, below] : last.children) {
      if (!element.starts_with("f:")) continue;
      std::string name = element.substr(2);
      auto field = value.find(name);
      if (field == value.end()) continue;
      const FieldSet* still = kept.Child(element);
      if (still == nullptr) {
        value.erase(field);
      } else {
        Prune(*field, below, *still, type.Field(name));
      }
    }
  } else if (IsKeyedList(value, type)) {
    Json left = Json::array();
    for (Json& item : value) {
      std::string element = type.ElementOf(item);
      const FieldSet* was = last.Child(element);
      const FieldSet* still = kept.Child(element);
      if (was != nullptr && still == nullptr) continue;
      if (was != nullptr) Prune(item, *was, *still, type.Item());
      left.push_back(std::move(item));
    }
    value = std::move(left);
  }
}

}  // namespace holdfast::local
