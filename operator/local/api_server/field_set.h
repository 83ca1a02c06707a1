// A set of field paths, the unit of ownership in server-side apply. A path is a chain of elements spelled as in
// FieldsV1: "f:name" a field, "k:{...}" a list item by its keys, "v:..." an item of a set. An inner node may be a
// member itself (the item as such is owned) besides leading to others; in FieldsV1 that is its "." entry.
// Source: sigs.k8s.io/structured-merge-diff, fieldpath/serialize.go.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::local {

using Json = nlohmann::json;

struct FieldSet {
  bool member = false;
  std::map<std::string, FieldSet> children;

  bool empty() const;
  const FieldSet* Child(const std::string& element) const;
  void Add(const FieldSet& other);
  void Remove(const FieldSet& other);
  FieldSet Intersection(const FieldSet& other) const;
  // ".spec.items[name=\"q\"].v" for every member.
  std::vector<std::string> Paths() const;

  Json ToFieldsV1() const;
  static FieldSet FromFieldsV1(const Json& fields);

  friend bool operator==(const FieldSet&, const FieldSet&) = default;
};

}  // namespace holdfast::local
