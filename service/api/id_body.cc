#include "service/api/id_body.h"

#include <array>

#include "service/api/operation_json.h"
#include "service/json/json_value.h"

namespace holdfast::api {
namespace {

Result<std::string> ReadId(const Exchange& exchange) {
  const auto invalid = [](std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); };
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue body, exchange.ParseBody());
  if (body.kind != json::JsonValue::Kind::kObject)
    return invalid("the body is not an object; send {\"id\":\"before-it\"}");
  constexpr std::array<std::string_view, 1> kMembers = {"id"};
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(body, kMembers, "the body"));
  const json::JsonValue* const id = body.Find("id");
  if (id == nullptr) return std::string();
  if (id->kind != json::JsonValue::Kind::kString || id->text.empty()) return invalid("id: is no name");
  return id->text;
}

}  // namespace

std::optional<std::string> TakeIdBody(Exchange& exchange) {
  if (exchange.request().body.empty()) return "";
  if (auto refused = CheckJsonContentType(exchange.headers())) {
    exchange.Fail(*refused);
    return std::nullopt;
  }
  auto id = ReadId(exchange);
  if (id.ok()) return std::move(id).value();
  exchange.Fail(id.error());
  return std::nullopt;
}

}  // namespace holdfast::api
