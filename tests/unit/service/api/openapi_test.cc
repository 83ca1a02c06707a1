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

std::set<std::string> Types(const nlohmann::json& described) {
  std::set<std::string> types;
  if (!described.contains("content")) return types;
  for (const auto& [type, content] : described.at("content").items()) types.insert(type);
  return types;
}

TEST(OpenApiTest, MemoryNamesEveryFormatOfBodiesAndAnswers) {
  ApiHarness api;
  const auto document = Document(api);
  const auto operation = [&](const char* path, const char* method) {
    return document.at("paths").at(std::string("/v1/").append(path)).at(method);
  };
  const auto answer = [&](const char* path, const char* method, const char* status) {
    return Types(operation(path, method).at("responses").at(status));
  };
  using Set = std::set<std::string>;
  const Set documents = {"application/json", "application/cbor", "application/msgpack"};
  const Set problems = {"application/problem+json", "application/cbor", "application/msgpack"};
  Set lines = documents;
  lines.insert("application/x-ndjson");
  Set documents_or_bytes = documents;
  documents_or_bytes.insert("*/*");

  for (const auto& [path, method] :
       {std::pair("stores/{store}/batch", "post"), std::pair("stores/{store}/transaction", "post"),
        std::pair("stores/{store}/keys/{key}", "post"), std::pair("stores/{store}/locks/{name}", "post"),
        std::pair("stores/{store}/locks/{name}", "put"), std::pair("namespaces/{namespace}", "put")}) {
    EXPECT_EQ(Types(operation(path, method).at("requestBody")), documents) << method << " " << path;
  }
  EXPECT_EQ(answer("stores/{store}/batch", "post", "200"), documents);
  EXPECT_EQ(answer("stores/{store}/batch", "post", "400"), problems);
  EXPECT_EQ(answer("stores/{store}/keys", "get", "200"), lines);
  EXPECT_EQ(answer("stores/{store}/keys/{key}", "post", "200"), documents_or_bytes);
  EXPECT_EQ(answer("stores/{store}/keys/{key}", "post", "409"), problems);
  EXPECT_EQ(answer("stores/{store}/watch", "get", "200"), (Set{"text/event-stream", "application/json"}));
  EXPECT_EQ(answer("stores/{store}/watch", "get", "429"), Set{"application/problem+json"});
  EXPECT_EQ(answer("stores/{store}/channels/{name}", "get", "200"), Set{"text/event-stream"});
  EXPECT_EQ(answer("stores/{store}/keys/{key}", "get", "206"), Set{"*/*"});
  EXPECT_EQ(answer("stores/{store}/keys/{key}", "get", "416"), Set{"application/problem+json"});
  EXPECT_EQ(answer("stores/{store}/keys/{key}", "head", "404"), Set{});
  EXPECT_EQ(Types(operation("stores/{store}/keys/{key}", "put").at("requestBody")), Set{"application/octet-stream"});
}

TEST(OpenApiTest, MemoryAnswersHaveADescribedType) {
  ApiHarness api;
  const auto document = Document(api);
  const std::pair<const char*, const char*> rows[] = {{"/v1/stores/{store}/keys", "/v1/stores/main/keys"},
                                                      {"/v1/stores/{store}/count", "/v1/stores/main/count"},
                                                      {"/v1/stores/{store}", "/v1/stores/main"},
                                                      {"/v1/stores/{store}/keys", "/v1/stores/main/keys?limit=0"},
                                                      {"/v1/stores", "/v1/stores"},
                                                      {"/v1/openapi.json", "/v1/openapi.json"},
                                                      {"/v1/stores/{store}/keys/{key}", "/v1/stores/main/keys/absent"}};
  for (const auto& [path, target] : rows) {
    for (const char* accept : {"application/json", "application/cbor", "application/msgpack", "*/*"}) {
      const Answer answer = api.Send("GET", target, {{"Accept", accept}});
      const auto& responses = document.at("paths").at(path).at("get").at("responses");
      const auto types = Types(responses.at(std::to_string(answer.status)));
      EXPECT_EQ(types.count(answer.content_type), 1u) << target << " " << accept << ": " << answer.content_type;
    }
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
