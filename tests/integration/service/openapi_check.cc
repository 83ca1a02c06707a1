#include "tests/integration/service/openapi_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace holdfast {
namespace {

using nlohmann::json;

// One part of a path, or for those at its end that take the rest, all of it.
std::regex PatternOf(const std::string& path) {
  std::string pattern;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '{') {
      if (path[i] == '.') pattern.push_back('\\');
      pattern.push_back(path[i]);
      continue;
    }
    const std::size_t end = path.find('}', i);
    const std::string name = path.substr(i + 1, end - i - 1);
    const bool rest = name == "key" || name == "name" || (name == "id" && end + 1 == path.size());
    pattern += rest ? ".*" : "[^/]+";
    i = end;
  }
  return std::regex(pattern);
}

json Decode(const std::string& type, const std::string& body) {
  if (type == "application/cbor") return json::from_cbor(body, true, false);
  if (type == "application/msgpack") return json::from_msgpack(body, true, false);
  return json::parse(body, nullptr, false);
}

bool HasType(const std::string& type, const json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string() || value.is_binary();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return true;
}

}  // namespace

OpenApiCheck::OpenApiCheck(json document) : document_(std::move(document)) {
  for (const auto& [path, methods] : document_.at("paths").items()) {
    for (const auto& [method, described] : methods.items()) {
      std::string capitals = method;
      std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                     [](unsigned char c) { return std::toupper(c); });
      operations_.emplace_back(capitals, path);
      patterns_.push_back(PatternOf(path));
    }
  }
}

const json& OpenApiCheck::At(const Operation& operation) const {
  std::string method = operation.first;
  std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::tolower(c); });
  return document_.at("paths").at(operation.second).at(method);
}

std::set<int> OpenApiCheck::StatusesOf(const Operation& operation) const {
  std::set<int> statuses;
  for (const auto& [status, described] : At(operation).at("responses").items()) statuses.insert(std::stoi(status));
  return statuses;
}

std::optional<OpenApiCheck::Operation> OpenApiCheck::Find(const std::string& method, const std::string& target) const {
  const std::string path = target.substr(0, target.find('?'));
  std::optional<Operation> found;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    if (operation.first != method || !std::regex_match(path, patterns_[i])) continue;
    // A path without a parameter where another one has it is the closer one.
    if (!found || operation.second.size() > found->second.size()) found = operation;
  }
  return found;
}

std::string OpenApiCheck::Complaint(const std::string& method, const std::string& target,
                                    const http::ClientResponse& response) const {
  const auto operation = Find(method, target);
  if (!operation) return "";
  const json& responses = At(*operation).at("responses");
  const std::string status = std::to_string(response.status);
  if (!responses.contains(status)) return fmt::format("status {} is not documented", status);
  const json& described = responses.at(status);
  if (method == "HEAD" || response.status == 204 || response.status == 304) {
    return response.body.empty() ? "" : "there is a body";
  }
  const auto header = response.headers.find("Content-Type");
  const std::string type = header == response.headers.end() ? "" : header->second;
  if (!described.contains("content")) {
    return response.body.empty() ? "" : fmt::format("status {} has a body ({})", status, type);
  }
  const json& content = described.at("content");
  if (!content.contains(type)) {
    return content.contains("*/*") ? "" : fmt::format("status {} is {}, which is not documented", status, type);
  }
  if (type.find("json") == std::string::npos && type != "application/cbor" && type != "application/msgpack") return "";
  if (type == "application/x-ndjson") return "";
  const json body = Decode(type, response.body);
  if (body.is_discarded()) return fmt::format("status {} is not {}", status, type);
  return Mismatch(content.at(type).at("schema"), body, "body");
}

std::string OpenApiCheck::Mismatch(const json& schema, const json& value, const std::string& where) const {
  if (schema.contains("$ref")) {
    return Mismatch(document_.at(json::json_pointer(schema.at("$ref").get<std::string>().substr(1))), value, where);
  }
  if (schema.contains("oneOf")) {
    for (const json& one : schema.at("oneOf")) {
      if (Mismatch(one, value, where).empty()) return "";
    }
    return where + " is none of the alternatives";
  }
  if (!HasType(schema.value("type", ""), value))
    return fmt::format("{} is not of type {}", where, schema.at("type").dump());
  if (schema.contains("enum")) {
    const json& allowed = schema.at("enum");
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) return where + " is not in the enumeration";
  }
  if (schema.contains("minimum") && value < schema.at("minimum")) return where + " is below the minimum";
  if (schema.contains("maximum") && value > schema.at("maximum")) return where + " is above the maximum";
  if (schema.contains("pattern") &&
      !std::regex_search(value.get<std::string>(), std::regex(schema.at("pattern").get<std::string>()))) {
    return where + " does not match its pattern";
  }
  if (value.is_object()) {
    const json none = json::object();
    const json& properties = schema.contains("properties") ? schema.at("properties") : none;
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name.get<std::string>()))
        return fmt::format("{}.{} is missing", where, name.get<std::string>());
    }
    for (const auto& [name, member] : value.items()) {
      const std::string place = where + "." + name;
      if (properties.contains(name)) {
        if (std::string wrong = Mismatch(properties.at(name), member, place); !wrong.empty()) return wrong;
      } else if (!properties.empty()) {
        return place + " is not described";
      } else if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object()) {
        if (std::string wrong = Mismatch(schema.at("additionalProperties"), member, place); !wrong.empty())
          return wrong;
      }
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (const json& item : value) {
      if (std::string wrong = Mismatch(schema.at("items"), item, where + "[]"); !wrong.empty()) return wrong;
    }
  }
  return "";
}

}  // namespace holdfast
