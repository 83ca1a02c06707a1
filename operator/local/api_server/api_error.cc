#include "operator/local/api_server/api_error.h"

#include <fmt/format.h>

namespace holdfast::local {
namespace {

// "storageclusters.storage.holdfast.dev" names resource and group; "configmaps" has the core group.
Json DetailsOf(std::string_view qualified, std::string_view name) {
  Json details = Json::object();
  std::size_t dot = qualified.find('.');
  if (!name.empty()) details["name"] = name;
  if (dot != std::string_view::npos) details["group"] = qualified.substr(dot + 1);
  details["kind"] = qualified.substr(0, dot);
  return details;
}

}  // namespace

Json ApiError::ToStatus() const {
  Json status = {{"kind", "Status"}, {"apiVersion", "v1"},  {"metadata", Json::object()},
                 {"code", code},     {"status", "Failure"}, {"message", message}};
  if (!reason.empty()) status["reason"] = reason;
  if (!details.is_null()) status["details"] = details;
  return status;
}

FieldError Required(std::string field, std::string_view detail) {
  return {"FieldValueRequired", std::move(field),
          detail.empty() ? "Required value" : fmt::format("Required value: {}", detail)};
}

FieldError InvalidValue(std::string field, const Json& value, std::string_view detail) {
  return {"FieldValueInvalid", std::move(field), fmt::format("Invalid value: {}: {}", value.dump(), detail)};
}

namespace errors {

ApiError NotFound(std::string_view resource, std::string_view name) {
  return {404, "NotFound", fmt::format("{} \"{}\" not found", resource, name), DetailsOf(resource, name)};
}

ApiError AlreadyExists(std::string_view resource, std::string_view name) {
  return {409, "AlreadyExists", fmt::format("{} \"{}\" already exists", resource, name), DetailsOf(resource, name)};
}

ApiError Conflict(std::string_view resource, std::string_view name, std::string_view why) {
  return {409, "Conflict", fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", resource, name, why),
          DetailsOf(resource, name)};
}

ApiError Modified(std::string_view resource, std::string_view name) {
  return Conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version and try again");
}

ApiError Invalid(std::string_view kind, std::string_view name, const std::vector<FieldError>& fields) {
  Json details = DetailsOf(kind, name);
  Json causes = Json::array();
  std::string text;
  for (const FieldError& each : fields) {
    causes.push_back({{"reason", each.reason}, {"message", each.message}, {"field", each.field}});
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", each.field, each.message);
  }
  details["causes"] = std::move(causes);
  if (fields.size() > 1) text = "[" + text + "]";
  return {422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", kind, name, text), std::move(details)};
}

ApiError Forbidden(std::string_view resource, std::string_view name, std::string_view why) {
  return {403, "Forbidden", fmt::format("{} \"{}\" is forbidden: {}", resource, name, why), DetailsOf(resource, name)};
}

ApiError BadRequest(std::string_view message) {
  return {400, "BadRequest", std::string(message)};
}

ApiError Expired(std::string_view message) {
  return {410, "Expired", std::string(message)};
}

ApiError TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current) {
  Json cause = {{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}};
  return {504, "Timeout", fmt::format("Timeout: Too large resource version: {}, current: {}", asked, current),
          Json{{"causes", Json::array({std::move(cause)})}, {"retryAfterSeconds", 1}}};
}

ApiError UnsupportedMediaType(std::string_view message) {
  return {415, "UnsupportedMediaType", std::string(message)};
}

ApiError MethodNotAllowed() {
  return {405, "MethodNotAllowed", "the server does not allow this method on the requested resource", Json::object()};
}

ApiError UnknownResource() {
  return {404, "NotFound", "the server could not find the requested resource", Json::object()};
}

ApiError Unprocessable() {
  return {422, "Invalid", "the server rejected our request due to an error in our request", Json::object()};
}

ApiError Internal(std::string_view message) {
  return {500, "", std::string(message)};
}

}  // namespace errors
}  // namespace holdfast::local
