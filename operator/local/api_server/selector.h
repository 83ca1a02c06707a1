// Label and field selectors of list, watch and delete-collection requests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

class LabelSelector {
 public:
  // "a=b,c!=d,e in (x,y),f notin (z),g,!h"; empty matches everything. 400 when it cannot be read.
  static Answer<LabelSelector> Parse(std::string_view text);
  // matchLabels and matchExpressions of a LabelSelector object; nothing selects everything.
  static LabelSelector FromObject(const Json& selector);
  bool Matches(const Json& object) const;

 private:
  enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };
  struct Requirement {
    std::string label;
    Operator op;
    std::vector<std::string> values;
  };
  std::vector<Requirement> requirements_;
};

class FieldSelector {
 public:
  // "metadata.name=x,involvedObject.uid!=y". 400 for a field the kind does not offer.
  static Answer<FieldSelector> Parse(std::string_view text, const ResourceType& type);
  bool Matches(const Json& object) const;

 private:
  struct Requirement {
    std::vector<std::string> path;
    std::string value;
    bool equal;
  };
  std::vector<Requirement> requirements_;
};

struct Selection {
  LabelSelector labels;
  FieldSelector fields;
  std::string ns;  // empty = all

  bool Matches(const Json& object) const;
};

}  // namespace holdfast::local
