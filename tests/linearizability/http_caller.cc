#include "tests/linearizability/http_caller.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "tests/integration/http_framing/raw_client.h"

namespace holdfast::linearizability {
namespace {

using api::testing::RawClient;
using api::testing::RawResponse;
using nlohmann::json;
using storage::OperationKind;
using storage::Precondition;

std::optional<storage::Version> VersionIn(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"') etag = etag.substr(1, etag.size() - 2);
  storage::Version version = 0;
  const auto parsed = std::from_chars(etag.data(), etag.data() + etag.size(), version);
  if (etag.empty() || parsed.ec != std::errc()) return std::nullopt;
  return version;
}

std::string PreconditionHeader(const Precondition& precondition) {
  switch (precondition.kind) {
    case Precondition::Kind::kAbsent:
      return "If-None-Match: *\r\n";
    case Precondition::Kind::kPresent:
      return "If-Match: *\r\n";
    case Precondition::Kind::kVersion:
      return fmt::format("If-Match: \"{}\"\r\n", precondition.version);
    default:
      return "";
  }
}

std::string RequestFor(const storage::Operation& operation) {
  const std::string_view method = operation.kind == OperationKind::kGet      ? "GET"
                                  : operation.kind == OperationKind::kPut    ? "PUT"
                                  : operation.kind == OperationKind::kDelete ? "DELETE"
                                                                             : "POST";
  std::string query;
  std::string body;
  if (operation.kind == OperationKind::kPut) body = operation.value;
  if (operation.kind == OperationKind::kTake) query = "?action=take";
  if (operation.kind == OperationKind::kIncrement) {
    query = "?action=increment";
    body = fmt::format(R"({{"by":{}}})", operation.by);
  }
  return fmt::format("{} /v1/stores/main/keys/{}{} HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{}", method,
                     operation.key, query, PreconditionHeader(operation.precondition), body.size(), body);
}

json OperationJson(const storage::Operation& operation) {
  json item = {{"op", storage::OperationKindName(operation.kind)}, {"key", operation.key}};
  if (operation.kind == OperationKind::kPut) item["value"] = operation.value;
  if (operation.kind == OperationKind::kIncrement) item["by"] = operation.by;
  return item;
}

json ConditionJson(const storage::Condition& condition) {
  switch (condition.precondition.kind) {
    case Precondition::Kind::kVersion:
      return {{"key", condition.key}, {"etag", std::to_string(condition.precondition.version)}};
    default:
      return {{"key", condition.key}, {"exists", condition.precondition.kind == Precondition::Kind::kPresent}};
  }
}

class HttpCaller : public Caller {
 public:
  explicit HttpCaller(std::uint16_t port) : client_(port) {}

  void Make(Call& call) override { call.single ? MakeSingle(call) : MakeTransaction(call); }

 private:
  // What has no answer fits no state: the checker reports it.
  static Outcome Lost() { return {"no answer", {}, {}, {}, {}}; }

  void MakeSingle(Call& call) {
    const storage::Operation& operation = call.transaction.then.front();
    client_.Send(RequestFor(operation));
    const auto response = client_.ReadResponse();
    if (!response) {
      call.outcomes = {Lost()};
      return;
    }
    Outcome outcome;
    if (const auto etag = response->headers.find("etag"); etag != response->headers.end()) {
      outcome.version = VersionIn(etag->second);
    }
    if (response->status >= 300) {
      outcome.code = json::parse(response->body).at("code").get<std::string>();
      if (outcome.code == "not_found") outcome.version.reset();
    } else if (operation.kind == OperationKind::kGet || operation.kind == OperationKind::kTake) {
      outcome.value = response->body;
    } else if (operation.kind == OperationKind::kPut) {
      outcome.existed = response->status == 204;
    } else if (operation.kind == OperationKind::kIncrement) {
      outcome.number = json::parse(response->body).at("value").get<std::int64_t>();
    }
    call.outcomes = {std::move(outcome)};
  }

  void MakeTransaction(Call& call) {
    json body = {{"if", json::array()}, {"then", json::array()}, {"else", json::array()}};
    for (const auto& condition : call.transaction.conditions) body["if"].push_back(ConditionJson(condition));
    for (const auto& operation : call.transaction.then) body["then"].push_back(OperationJson(operation));
    for (const auto& operation : call.transaction.otherwise) body["else"].push_back(OperationJson(operation));
    const std::string text = body.dump();
    client_.Send(
        fmt::format("POST /v1/stores/main/transaction HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    text.size(), text));
    const auto response = client_.ReadResponse();
    if (!response || response->status != 200) {
      call.outcomes = {response ? Outcome{json::parse(response->body).at("code"), {}, {}, {}, {}} : Lost()};
      return;
    }
    const json answer = json::parse(response->body);
    call.conditions_held = answer.at("branch") == "then";
    call.applied = answer.at("applied").get<bool>();
    for (const json& result : answer.at("results")) call.outcomes.push_back(OutcomeOf(result));
  }

  static Outcome OutcomeOf(const json& result) {
    Outcome outcome;
    if (result.contains("etag")) outcome.version = VersionIn(result.at("etag").get<std::string>());
    if (result.contains("error")) {
      outcome.code = result.at("error").at("code").get<std::string>();
    } else if (const auto value = result.find("value"); value != result.end()) {
      if (value->is_string()) outcome.value = value->get<std::string>();
      if (value->is_number()) outcome.number = value->get<std::int64_t>();
    }
    return outcome;
  }

  RawClient client_;
};

}  // namespace

std::unique_ptr<Caller> CallHttp(std::uint16_t port) {
  return std::make_unique<HttpCaller>(port);
}

}  // namespace holdfast::linearizability
