#include "operator/local/api_server/field_set.h"

#include <algorithm>

namespace holdfast::local {
namespace {

std::string Readable(const std::string& element) {
  std::string rest = element.substr(std::min<std::size_t>(2, element.size()));
  if (element.starts_with("f:")) return "." + rest;
  if (element.starts_with("v:")) return "[=" + rest + "]";
  Json keys = Json::parse(rest, nullptr, false);
  if (!keys.is_object()) return "[" + rest + "]";
  std::string text;
  for (const auto& [name, value] : keys.items()) text += (text.empty() ? "" : ",") + name + "=" + value.dump();
  return "[" + text + "]";
}

void CollectPaths(const FieldSet& set, const std::string& path, std::vector<std::string>* paths) {
  if (set.member) paths->push_back(path);
  for (const auto& [element, child] : set.children) CollectPaths(child, path + Readable(element), paths);
}

}  // namespace

bool FieldSet::empty() const {
  return !member && std::all_of(children.begin(), children.end(), [](const auto& each) { return each.second.empty(); });
}

const FieldSet* FieldSet::Child(const std::string& element) const {
  auto found = children.find(element);
  return found == children.end() ? nullptr : &found->second;
}

void FieldSet::Add(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [element, child] : other.children) children[element].Add(child);
}

void FieldSet::Remove(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [element, child] : other.children) {
    auto mine = children.find(element);
    if (mine == children.end()) continue;
    mine->second.Remove(child);
    if (mine->second.empty()) children.erase(mine);
  }
}

FieldSet FieldSet::Intersection(const FieldSet& other) const {
  FieldSet both;
  both.member = member && other.member;
  for (const auto& [element, child] : children) {
    const FieldSet* theirs = other.Child(element);
    if (theirs == nullptr) continue;
    FieldSet common = child.Intersection(*theirs);
    if (!common.empty()) both.children.emplace(element, std::move(common));
  }
  return both;
}

std::vector<std::string> FieldSet::Paths() const {
  std::vector<std::string> paths;
  CollectPaths(*this, "", &paths);
  return paths;
}

Json FieldSet::ToFieldsV1() const {
  Json fields = Json::object();
  for (const auto& [element, child] : children) fields[element] = child.ToFieldsV1();
  if (member && !children.empty()) fields["."] = Json::object();
  return fields;
}

FieldSet FieldSet::FromFieldsV1(const Json& fields) {
  FieldSet set;
  if (!fields.is_object()) return set;
  for (const auto& [element, below] : fields.items()) {
    if (element == ".") {
      set.member = true;
      continue;
    }
    FieldSet child = FromFieldsV1(below);
    if (child.children.empty()) child.member = true;
    set.children.emplace(element, std::move(child));
  }
  return set;
}

}  // namespace holdfast::local
