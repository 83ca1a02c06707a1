// Compares answers of a running service with what its OpenAPI document says of them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/http/http_client.h"

namespace holdfast {

class OpenApiCheck {
 public:
  explicit OpenApiCheck(nlohmann::json document);

  // Method in capitals, path as in the document.
  using Operation = std::pair<std::string, std::string>;
  const std::vector<Operation>& operations() const { return operations_; }
  std::set<int> StatusesOf(const Operation& operation) const;
  // Which of them this request is; none for a path or a method that the document does not have.
  std::optional<Operation> Find(const std::string& method, const std::string& target) const;
  // What is wrong with the answer to that request: its status, media type, or body. Empty = nothing, or the document
  // has no such operation.
  std::string Complaint(const std::string& method, const std::string& target,
                        const http::ClientResponse& response) const;

 private:
  const nlohmann::json& At(const Operation& operation) const;
  std::string Mismatch(const nlohmann::json& schema, const nlohmann::json& value, const std::string& where) const;

  const nlohmann::json document_;
  std::vector<Operation> operations_;
  std::vector<std::regex> patterns_;  // of their paths
};

}  // namespace holdfast
