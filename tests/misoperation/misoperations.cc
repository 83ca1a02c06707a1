#include "tests/misoperation/misoperations.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "base/config/settings.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/postgres_rules.h"
#include "operator/api/v1/storage_cluster_fields.h"

namespace holdfast::misoperation {
namespace {

using api::Field;
using api::FieldType;
using Pointer = Json::json_pointer;

constexpr std::size_t kHuge = 70'000;  // characters
// Where a table sets no bound, our own is the type's.
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

struct Value {
  const char* what;
  Json value;
  bool refused;
};

// Something valid for the field, of its own required members only, which no rule over several fields minds: sizes that
// are none too small for their neighbours, and the largest of numbers, which others have to stay below.
Json Minimal(const Field& field) {
  if (!field.default_value.is_null()) return field.default_value;
  switch (field.type) {
    case FieldType::kObject: {
      Json object = Json::object();
      for (const Field& member : field.fields) {
        const bool first_of_one = !field.exactly_one.empty() && member.name == field.exactly_one.front();
        if (member.required || first_of_one) object[member.name] = Minimal(member);
      }
      return object;
    }
    case FieldType::kList: {
      Json list = Json::array();
      for (std::size_t i = 0; i < field.min_items; ++i) list.push_back(Minimal(field.items.front()));
      return list;
    }
    case FieldType::kMap:
      return Json::object();
    case FieldType::kString:
      if (field.pattern.starts_with("^https://")) return "https://s3.example.com";
      return field.choices.empty() ? "main" : field.choices.front();
    case FieldType::kInteger:
      return field.maximum.value_or(1);
    case FieldType::kBoolean:
      return false;
    case FieldType::kBytes:
      return "1Gi";
    case FieldType::kQuantity:
      return "100m";
    case FieldType::kDuration:
      return "1h";
    case FieldType::kTime:
      return "2026-01-01T00:00:00Z";
  }
  std::abort();
}

Json WrongType(const Field& field) {
  const bool takes_numbers = field.type == FieldType::kInteger || field.type == FieldType::kQuantity;
  return takes_numbers ? Json::array({1}) : Json(7);
}

// One byte less or more than a size says.
std::string Beside(const std::string& quantity, int step) {
  const auto bytes = config::ParseBytes(quantity);
  if (!bytes.ok()) std::abort();
  return std::to_string(static_cast<std::int64_t>(*bytes) + step);
}

std::vector<Value> TextValues(const Field& field) {
  std::vector<Value> values{{"huge", std::string(kHuge, 'a'), true}};
  if (!field.choices.empty()) {
    for (const std::string& choice : field.choices) values.push_back({"a choice", choice, false});
    values.push_back({"no choice", "Sometimes", true});
    values.push_back({"empty", "", true});
    return values;
  }
  const bool has_form = field.type != FieldType::kString || !field.pattern.empty();
  values.push_back({"empty", "", has_form});
  values.push_back({"nonsense", "$(reboot); '\"\n\t\u202e", has_form});
  if (field.type == FieldType::kBytes) {
    if (!field.minimum_quantity.empty()) {
      values.push_back({"the minimum", field.minimum_quantity, false});
      values.push_back({"below the minimum", Beside(field.minimum_quantity, -1), true});
    }
    if (!field.maximum_quantity.empty()) {
      values.push_back({"the maximum", field.maximum_quantity, false});
      values.push_back({"above the maximum", Beside(field.maximum_quantity, 1), true});
    }
    for (const char* text : {"0", "-1Gi", "1.5Gi", "99999999999999999999Ti", "Gi"})
      values.push_back({"no size", text, true});
  } else if (field.type == FieldType::kDuration) {
    for (const char* text : {"0s", "-1h", "1", "1y"}) values.push_back({"no duration", text, true});
    values.push_back({"the longest", "9999d", false});
  } else if (field.type == FieldType::kQuantity) {
    for (const char* text : {"-1", "1e3", "1 Gi"}) values.push_back({"no quantity", text, true});
  } else if (field.type == FieldType::kString && field.max_length != 0 && !field.pattern.empty()) {
    values.push_back({"one too long", std::string(field.max_length + 1, 'a'), true});
  }
  return values;
}

// The names that may stand in a map are a rule's.
std::string KeyOf(const Field& map) {
  return map.rules.empty() ? "key" : api::AllowedPostgresParameters().front();
}

Json EntriesBeyond(const Field& map) {
  Json entries = Json::object();
  for (std::size_t i = 0; i <= map.max_items; ++i) entries["k" + std::to_string(i)] = "1";
  return entries;
}

Json ItemsBeyond(const Field& field) {
  Json items = Json::array();
  for (std::size_t i = 0; i <= field.max_items; ++i) {
    Json item = Minimal(field.items.front());
    if (!field.list_key.empty()) item[field.list_key] = "x" + std::to_string(i);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Value> ValuesOf(const Field& field) {
  std::vector<Value> values{{"the wrong type", WrongType(field), true}, {"null", nullptr, false}};
  switch (field.type) {
    case FieldType::kInteger:
      values.push_back({"the minimum", field.minimum.value_or(0), false});
      values.push_back({"the maximum", field.maximum.value_or(kMost), false});
      if (field.minimum) values.push_back({"below the minimum", *field.minimum - 1, true});
      if (field.maximum) values.push_back({"above the maximum", *field.maximum + 1, true});
      values.push_back({"huge", kMost, field.maximum.has_value()});
      values.push_back({"a fraction", 1.5, true});
      values.push_back({"a text", "1", true});
      break;
    case FieldType::kBoolean:
      values.push_back({"true", true, false});
      values.push_back({"a text", "true", true});
      break;
    case FieldType::kList:
      values.push_back({"empty", Json::array(), field.min_items > 0});
      if (field.max_items != 0) values.push_back({"one too many", ItemsBeyond(field), true});
      break;
    case FieldType::kObject:
      values.push_back(
          {"empty", Json::object(),
           !field.exactly_one.empty() || std::any_of(field.fields.begin(), field.fields.end(), [](const Field& member) {
             return member.required && member.default_value.is_null();
           })});
      break;
    case FieldType::kMap:
      values.push_back({"empty", Json::object(), false});
      if (field.max_items != 0) values.push_back({"one too many", EntriesBeyond(field), true});
      if (!field.rules.empty()) values.push_back({"a name that is not allowed", {{"no_such_name", "1"}}, true});
      break;
    default:
      for (Value& value : TextValues(field)) values.push_back(std::move(value));
  }
  return values;
}

bool IsOneOf(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool StandsInAGoodSpec(const Pointer& at) {
  const std::vector<Good> all = GoodSpecs();
  return std::any_of(all.begin(), all.end(), [&](const Good& good) { return good.spec.contains(at); });
}

class Sweep {
 public:
  std::vector<Misoperation> Take() && { return std::move(found_); }

  void VisitSpec(const Field& field, const Good& good) {
    good_ = good.name;
    VisitMembers(field, good.spec, Pointer(), "spec");
  }

 private:
  void Add(const std::string& path, const std::string& name, std::string what, Json spec, bool must_be_refused) {
    found_.push_back({good_, path, name, std::move(what), std::move(spec), must_be_refused});
  }

  // `spec` holds something valid at `at`.
  void Visit(const Field& field, const Json& spec, const Pointer& at, const std::string& path) {
    if (visited_.insert(path).second) {
      for (const Value& value : ValuesOf(field)) {
        Json changed = spec;
        changed[at] = value.value;
        const bool needed = value.value.is_null() && field.required && field.default_value.is_null();
        Add(path, field.name, value.what, std::move(changed), value.refused || needed);
      }
      AddRivals(field, spec, at, path);
    }
    if (field.type == FieldType::kObject) VisitMembers(field, spec, at, path);
    if (field.type != FieldType::kList && field.type != FieldType::kMap) return;
    Json filled = spec;
    Field item = field.items.front();
    item.name = field.name;  // what an error about an item names
    if (field.type == FieldType::kMap) {
      filled[at][KeyOf(field)] = "1";
      Visit(item, filled, at / KeyOf(field), path + "[*]");
    } else {
      if (filled.at(at).empty()) filled[at].push_back(Minimal(field.items.front()));
      Visit(item, filled, at / 0, path + "[0]");
    }
  }

  // Two of which there may be only one.
  void AddRivals(const Field& field, const Json& spec, const Pointer& at, const std::string& path) {
    Json changed = spec;
    int there = 0;
    for (const Field& member : field.fields) {
      if (!IsOneOf(member.name, field.exactly_one) || !member.later.empty()) continue;
      if (!changed.at(at).contains(member.name)) changed[at][member.name] = Minimal(member);
      ++there;
    }
    if (there > 1) Add(path, field.name, "rivals at once", std::move(changed), true);
  }

  void VisitMembers(const Field& field, const Json& spec, const Pointer& at, const std::string& path) {
    const auto has = [&](const std::string& name) { return spec.at(at).contains(name); };
    for (const Field& member : field.fields) {
      const std::string member_path = path + "." + member.name;
      const bool rival = IsOneOf(member.name, field.exactly_one);
      // What a good spec has is swept there, with what has to stand beside it.
      if (!has(member.name) && StandsInAGoodSpec(at / member.name)) continue;
      Json with = spec;
      Json& object = with[at];
      for (const std::string& other : field.exactly_one) {
        if (rival && other != member.name) object.erase(other);
      }
      if (!object.contains(member.name)) object[member.name] = Minimal(member);
      if (member.later.empty()) {
        Visit(member, with, at / member.name, member_path);
      } else if (visited_.insert(member_path).second) {
        Add(member_path, member.name, "of a later release", std::move(with), true);
      }
    }
  }

  std::string good_;
  std::set<std::string> visited_;
  std::vector<Misoperation> found_;
};

// Of a schema: itself and what is in it.
void Collect(const Json& schema, const std::string& path, std::set<std::string>* paths) {
  paths->insert(path);
  // What a later release puts into a list is no field yet.
  const bool open = schema.contains("items") && schema.at("items").contains("x-kubernetes-preserve-unknown-fields");
  if (schema.contains("items") && !open) Collect(schema.at("items"), path + "[0]", paths);
  if (schema.contains("additionalProperties")) Collect(schema.at("additionalProperties"), path + "[*]", paths);
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    std::string member(path);
    Collect(property, member.append(".").append(name), paths);
  }
}

Json SpecOn(const char* backends, const char* store) {
  // Volumes that go with their cluster, which a test may have to make anew.
  return {{"backends", Json::parse(backends)},
          {"stores", Json::array({Json::parse(store)})},
          {"service", {{"replicas", 1}}},
          {"terminationPolicy", "Delete"}};
}

Json SpecOn(const char* backend) {
  return SpecOn(("[" + std::string(backend) + "]").c_str(), R"({"name": "main", "backend": "db"})");
}

}  // namespace

namespace {

Json WithBackups(const char* place) {
  Json spec = SpecOn(R"({"name": "db", "memory": {}})");
  spec["backups"] = Json::parse(place);
  return spec;
}

Json WithChanges() {
  Json spec = SpecOn(R"([{"name": "db", "embedded": {"storage": {"size": "1Gi"}, "archivedLogSize": "1Gi"}}])",
                     R"({"name": "main", "backend": "db", "changeArchive": true})");
  spec["backups"] = {{"claimName", "backups"},
                     {"changeArchive", {{"interval", "1m"}, {"segmentSize", "8Mi"}, {"bufferSize", "64Mi"}}}};
  return spec;
}

}  // namespace

std::vector<Good> GoodSpecs() {
  // The first one may have the most beside its backend: autoscaling, many replicas.
  return {
      {"postgres", SpecOn(R"({"name": "db", "postgres": {"storage": {"size": "1Gi"}}})")},
      {"backups", SpecOn(R"({"name": "db", "postgres": {"storage": {"size": "1Gi"}, "backup":
          {"storage": {"size": "1Gi"}, "schedule": {"differential": "@daily"}, "retention": {"differential": 2},
           "passphraseSecretRef": {"name": "vault", "key": "word"}}}})")},
      {"elsewhere", SpecOn(R"({"name": "db", "postgres": {"storage": {"size": "1Gi"}, "backup":
          {"s3": {"endpoint": "https://s3.example.com", "bucket": "databases", "prefix": "prod/db",
                  "accessKeySecretRef": {"name": "store", "key": "id"},
                  "secretKeySecretRef": {"name": "store", "key": "word"},
                  "caSecretRef": {"name": "store", "key": "ca"}}}}})")},
      {"external",
       SpecOn(R"({"name": "db", "postgres": {"external": {"urlSecretRef": {"name": "db", "key": "url"}}}})")},
      {"redis", SpecOn(R"({"name": "db", "redis": {"mode": "Sentinel", "storage": {"size": "1Gi"}}})")},
      {"shards", SpecOn(R"({"name": "db", "redis": {"mode": "Cluster", "storage": {"size": "1Gi"}, "shards": 3,
                                                    "replicasPerShard": 1, "cluster": {}}})")},
      {"shared", SpecOn(R"({"name": "db", "redis": {"external": {"secretName": "db"}}})")},
      {"embedded", SpecOn(R"({"name": "db", "embedded": {"storage": {"size": "1Gi"}}})")},
      {"claim", WithBackups(R"({"claimName": "backups", "encryptionKeySecretRef": {"name": "vault", "key": "key"}})")},
      {"bucket", WithBackups(R"({"s3": {"endpoint": "https://s3", "bucket": "b1", "credentialsSecretName": "s3"}})")},
      {"scheduled", WithBackups(R"({"claimName": "backups", "schedules": [
          {"name": "nightly", "store": "main", "schedule": "0 3 * * *", "startingDeadline": "6h"}]})")},
      {"kept", WithBackups(R"({"claimName": "backups", "retention": {"keepLast": 3, "keepDays": 7, "keepWeeks": 4}})")},
      {"source", WithBackups(R"({"claimName": "backups", "source": {"s3": {"endpoint": "https://s3", "bucket": "b1",
          "credentialsSecretName": "s3"}, "encryptionKeySecretRef": {"name": "vault", "key": "former"}}})")},
      {"sourceAlone", WithBackups(R"({"source": {"claimName": "former"}})")},
      {"changes", WithChanges()},
      {"memory", SpecOn(R"({"name": "db", "memory": {}})")},
      {"tiered", SpecOn(R"([{"name": "db", "embedded": {"storage": {"size": "1Gi"}}}, {"name": "copies", "memory": {}},
                            {"name": "queue", "embedded": {"storage": {"size": "1Gi"}}}])",
                        R"({"name": "main", "tiered": {"store": "db", "cache": "copies", "write": "Behind",
                                                       "writeQueue": "queue"}})")},
      {"failover", SpecOn(R"([{"name": "db", "postgres": {"external": {"urlSecretRef": {"name": "db", "key": "url"}}}},
                              {"name": "other", "embedded": {"storage": {"size": "1Gi"}}}])",
                          R"({"name": "main", "failover": {"primary": "db", "secondary": "other"}})")},
      {"replicated", SpecOn(R"([{"name": "a", "embedded": {"storage": {"size": "1Gi"}}},
                                {"name": "b", "embedded": {"storage": {"size": "1Gi"}}},
                                {"name": "c", "embedded": {"storage": {"size": "1Gi"}}}])",
                            R"({"name": "main", "replicated": {"backends": ["a", "b", "c"]}})")},
      {"resilient", SpecOn(R"([{"name": "db", "memory": {}}])",
                           R"({"name": "main", "backend": "db",
                               "resilience": {"callTimeout": "1s", "breaker": {"window": "10s"},
                                              "retry": {"attempts": 3, "initial": "1ms", "maximum": "1h"},
                                              "bulkhead": {"calls": 64, "wait": "10ms"},
                                              "hedge": {"after": "30ms", "percent": 5}}})")}};
}

std::vector<Misoperation> Misoperations() {
  Sweep sweep;
  for (const Field& field : api::StorageClusterFields().fields) {
    if (field.name != "spec") continue;
    for (const Good& good : GoodSpecs()) sweep.VisitSpec(field, good);
  }
  return std::move(sweep).Take();
}

std::set<std::string> PathsOfDefinition() {
  static const Pointer pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
  std::set<std::string> paths;
  Collect(api::StorageClusterDefinition().at(pointer), "spec", &paths);
  paths.erase("spec");
  return paths;
}

}  // namespace holdfast::misoperation
