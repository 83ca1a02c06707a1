#include <fmt/format.h>

#include <set>

#include "service/api/metrics.h"
#include "service/api/route_table.h"
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

nlohmann::json Document(ApiHarness& api) {
  const Answer answer = api.Send("GET", "/v1/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  return answer.Json();
}

void CollectReferences(const nlohmann::json& node, std::set<std::string>* references) {
  if (node.is_object() && node.contains("$ref")) references->insert(node.at("$ref"));
  for (const auto& child : node) {
    if (child.is_structured()) CollectReferences(child, references);
  }
}

TEST(OpenApiTest, MemoryDescribesExactlyTheRouteTable) {
  ApiHarness api;
  const auto document = Document(api);
  EXPECT_EQ(document.at("openapi"), "3.0.3");
  std::size_t described = 0;
  for (const auto& [path, methods] : document.at("paths").items()) described += methods.size();
  EXPECT_EQ(described, Endpoints().size());
  std::set<std::string> ids;
  for (const Endpoint& endpoint : Endpoints()) {
    std::string method(MethodName(endpoint.method));
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    const auto& operation = document.at("paths").at(std::string(endpoint.pattern)).at(method);
    EXPECT_TRUE(ids.insert(operation.at("operationId")).second);
    std::set<std::string> query;
    for (const auto& parameter : operation.at("parameters")) {
      if (parameter.at("in") == "query") query.insert(parameter.at("name"));
    }
    EXPECT_EQ(query.size(), endpoint.query.size()) << endpoint.operation_id;
  }
}

TEST(OpenApiTest, MemoryEveryReferenceLeadsSomewhere) {
  ApiHarness api;
  const auto document = Document(api);
  std::set<std::string> references;
  CollectReferences(document, &references);
  EXPECT_FALSE(references.empty());
  for (const std::string& reference : references) {
    EXPECT_TRUE(document.contains(nlohmann::json::json_pointer(reference.substr(1)))) << reference;
  }
  for (const auto& [name, schema] : document.at("components").at("schemas").items()) {
    EXPECT_TRUE(references.count("#/components/schemas/" + name) > 0) << name << " is used nowhere";
  }
}

// A small stand-in for a schema-driven fuzzer: what the schema requires is there, and nothing has another type.
void ExpectMatches(const nlohmann::json& document, const nlohmann::json& schema, const nlohmann::json& value,
                   const std::string& where) {
  if (schema.contains("$ref")) {
    const auto target = nlohmann::json::json_pointer(schema.at("$ref").get<std::string>().substr(1));
    return ExpectMatches(document, document.at(target), value, where);
  }
  const std::string type = schema.value("type", "");
  if (type == "object") {
    ASSERT_TRUE(value.is_object()) << where;
    for (const auto& name : schema.value("required", nlohmann::json::array())) {
      EXPECT_TRUE(value.contains(name.get<std::string>())) << where << "." << name;
    }
    for (const auto& [name, member] : value.items()) {
      const auto properties = schema.value("properties", nlohmann::json::object());
      if (properties.contains(name)) {
        ExpectMatches(document, properties.at(name), member, where + "." + name);
      } else {
        EXPECT_TRUE(properties.empty()) << where << "." << name << " is not described";
      }
    }
  } else if (type == "array") {
    ASSERT_TRUE(value.is_array()) << where;
    for (const auto& item : value) ExpectMatches(document, schema.at("items"), item, where + "[]");
  } else if (type == "string") {
    EXPECT_TRUE(value.is_string()) << where;
  } else if (type == "integer") {
    EXPECT_TRUE(value.is_number_integer()) << where;
  } else if (type == "boolean") {
    EXPECT_TRUE(value.is_boolean()) << where;
  }
}

TEST(OpenApiTest, MemoryAnswersAreWhatItSays) {
  ApiHarness api;
  const auto document = Document(api);
  api.Send("PUT", "/v1/stores/main/keys/a",
           {{"Holdfast-TTL", "1h"}, {"Holdfast-Tags", "x"}, {"Holdfast-Metadata", "{\"a\":1}"}}, "\xff");
  const std::string batch =
      R"({"operations":[{"op":"get","key":"a"},{"op":"get","key":"b"},{"op":"increment","key":"c"}]})";
  const std::string transaction = R"({"if":[{"key":"a","exists":true}],"then":[{"op":"get","key":"a"}]})";
  const std::tuple<const char*, const char*, std::string, int, const char*> rows[] = {
      {"GET", "/v1/stores/main/keys?values=true", "", 200, "Page"},
      {"GET", "/v1/stores/main/count", "", 200, "Count"},
      {"DELETE", "/v1/stores/main/keys?prefix=zz", "", 200, "Deleted"},
      {"POST", "/v1/stores/main/batch", batch, 200, "BatchResults"},
      {"POST", "/v1/stores/main/transaction", transaction, 200, "TransactionResults"},
      {"POST", "/v1/stores/main/keys/n?action=increment", "", 200, "IncrementResult"},
      {"GET", "/v1/stores", "", 200, "Stores"},
      {"GET", "/v1/stores/main", "", 200, "Store"},
      {"GET", "/v1/stores/main/keys/absent", "", 404, "Problem"},
      {"PUT", "/v1/stores/main/keys/", "", 400, "Problem"},
  };
  for (const auto& [method, target, body, status, schema] : rows) {
    const Answer answer = api.Send(method, target, {}, body);
    ASSERT_EQ(answer.status, status) << target << answer.body;
    ExpectMatches(document, document.at("components").at("schemas").at(schema), answer.Json(), target);
  }
}

}  // namespace
}  // namespace holdfast::api
