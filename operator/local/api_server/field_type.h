// How the fields of a kind merge: which lists are maps and by which keys, which are sets, what is one indivisible
// value. Read from an OpenAPI schema with the x-kubernetes-* extensions; custom resources bring theirs, and for the
// built-in kinds BuiltinFieldSchema states only what differs from the defaults (objects are merged field by field,
// lists are replaced whole). Cheap to copy; the schema must outlive it.
// Source: kubernetes.io/docs/reference/using-api/server-side-apply, "Merge strategy"; markers of k8s.io/api.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::local {

using Json = nlohmann::json;

class FieldType {
 public:
  enum class List { kAtomic, kSet, kMap };

  // nullptr: nothing is known, defaults hold.
  explicit FieldType(const Json* schema) : schema_(schema) {}
  // The type of a whole object, whose metadata is that of every Kubernetes object.
  static FieldType Root(const Json* schema);

  FieldType Field(const std::string& name) const;
  FieldType Item() const;
  bool IsAtomicObject() const;
  List ListKind() const;
  // The path element of a list item: "k:{...}", "v:..."; empty for an item without the keys.
  std::string ElementOf(const Json& item) const;
  // The first of the map keys, which strategic merge patches go by.
  std::string MergeKey() const;

 private:
  const Json* schema_;
  bool root_ = false;
};

// The partial schema of a built-in kind; nullptr when its defaults hold.
const Json* BuiltinFieldSchema(const std::string& kind);

}  // namespace holdfast::local
