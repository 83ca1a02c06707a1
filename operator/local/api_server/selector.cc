#include "operator/local/api_server/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kSpace = " \t";

std::string Trim(std::string_view text) {
  std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

// At commas outside parentheses.
std::vector<std::string> SplitTerms(std::string_view text) {
  std::vector<std::string> terms;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '(') ++depth;
    if (i < text.size() && text[i] == ')') --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      terms.push_back(Trim(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  return terms;
}

ApiError CannotParse(std::string_view term) {
  return errors::BadRequest(fmt::format("unable to parse requirement: found '{}', expected a label requirement", term));
}

bool IsLabelKey(const std::string& key) {
  return !key.empty() && key.find_first_of(" ()!=,") == std::string::npos;
}

// The fields a kind can be selected by besides metadata.name and metadata.namespace.
const std::set<std::string>& SelectableFields(const ResourceType& type) {
  static const std::set<std::string> kNone;
  static const auto* fields = new std::map<std::string, std::set<std::string>>{
      {"Event",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}},
      {"Pod",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
        "status.podIP"}},
      {"Secret", {"type"}},
      {"Namespace", {"status.phase"}},
  };
  auto found = type.custom ? fields->end() : fields->find(type.kind.kind);
  return found == fields->end() ? kNone : found->second;
}

}  // namespace

Answer<LabelSelector> LabelSelector::Parse(std::string_view text) {
  LabelSelector selector;
  if (Trim(text).empty()) return selector;
  for (const std::string& term : SplitTerms(text)) {
    Requirement requirement;
    std::size_t open = term.find('(');
    std::size_t equals = term.find('=');
    if (open != std::string::npos) {
      std::string head = Trim(std::string_view(term).substr(0, open));
      std::size_t space = head.find_last_of(kSpace);
      std::string word = space == std::string::npos ? "" : head.substr(space + 1);
      if (term.back() != ')' || (word != "in" && word != "notin")) return CannotParse(term);
      requirement.label = Trim(std::string_view(head).substr(0, space));
      requirement.op = word == "in" ? Operator::kIn : Operator::kNotIn;
      requirement.values = SplitTerms(std::string_view(term).substr(open + 1, term.size() - open - 2));
    } else if (equals != std::string::npos) {
      bool unequal = equals > 0 && term[equals - 1] == '!';
      std::size_t after = equals + 1 < term.size() && term[equals + 1] == '=' ? equals + 2 : equals + 1;
      requirement.label = Trim(std::string_view(term).substr(0, unequal ? equals - 1 : equals));
      requirement.op = unequal ? Operator::kNotIn : Operator::kIn;
      requirement.values = {Trim(std::string_view(term).substr(after))};
    } else if (!term.empty() && term.front() == '!') {
      requirement.label = Trim(std::string_view(term).substr(1));
      requirement.op = Operator::kDoesNotExist;
    } else {
      requirement.label = term;
      requirement.op = Operator::kExists;
    }
    if (!IsLabelKey(requirement.label)) return CannotParse(term);
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

LabelSelector LabelSelector::FromObject(const Json& object) {
  LabelSelector selector;
  for (const auto& [label, value] : ObjectAt(object, {"matchLabels"}).items()) {
    selector.requirements_.push_back({label, Operator::kIn, {value.is_string() ? value.get<std::string>() : ""}});
  }
  for (const Json& each : ArrayAt(object, {"matchExpressions"})) {
    std::string op = TextAt(each, {"operator"});
    Requirement requirement{TextAt(each, {"key"}), Operator::kExists, {}};
    if (op == "In") requirement.op = Operator::kIn;
    if (op == "NotIn") requirement.op = Operator::kNotIn;
    if (op == "DoesNotExist") requirement.op = Operator::kDoesNotExist;
    for (const Json& value : ArrayAt(each, {"values"})) {
      if (value.is_string()) requirement.values.push_back(value.get<std::string>());
    }
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

bool LabelSelector::Matches(const Json& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& each) {
    const Json* found = FindField(object, {"metadata", "labels", each.label});
    bool present = found != nullptr && found->is_string();
    auto listed = [&] {
      return present &&
             std::find(each.values.begin(), each.values.end(), found->get<std::string>()) != each.values.end();
    };
    switch (each.op) {
      case Operator::kIn:
        return listed();
      case Operator::kNotIn:
        return !listed();
      case Operator::kExists:
        return present;
      case Operator::kDoesNotExist:
        return !present;
    }
    return false;
  });
}

Answer<FieldSelector> FieldSelector::Parse(std::string_view text, const ResourceType& type) {
  FieldSelector selector;
  if (Trim(text).empty()) return selector;
  for (const std::string& term : SplitTerms(text)) {
    std::size_t equals = term.find('=');
    if (equals == std::string::npos) {
      return errors::BadRequest(fmt::format("invalid selector: '{}'; can't understand '{}'", text, term));
    }
    bool unequal = equals > 0 && term[equals - 1] == '!';
    std::size_t after = equals + 1 < term.size() && term[equals + 1] == '=' ? equals + 2 : equals + 1;
    std::string field = Trim(std::string_view(term).substr(0, unequal ? equals - 1 : equals));
    if (field != "metadata.name" && field != "metadata.namespace" && !SelectableFields(type).contains(field)) {
      return errors::BadRequest(
          fmt::format("\"{}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", field));
    }
    Requirement requirement{{}, Trim(std::string_view(term).substr(after)), !unequal};
    for (std::size_t start = 0; start <= field.size();) {
      std::size_t dot = std::min(field.find('.', start), field.size());
      requirement.path.push_back(field.substr(start, dot - start));
      start = dot + 1;
    }
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

bool FieldSelector::Matches(const Json& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& each) {
    const Json* found = &object;
    for (const std::string& step : each.path) found = found == nullptr ? nullptr : FindField(*found, {step});
    std::string value = found != nullptr && found->is_string() ? found->get<std::string>() : "";
    return (value == each.value) == each.equal;
  });
}

bool Selection::Matches(const Json& object) const {
  return (ns.empty() || NamespaceOf(object) == ns) && labels.Matches(object) && fields.Matches(object);
}

}  // namespace holdfast::local
