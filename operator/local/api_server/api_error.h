// Failures as the Kubernetes API words them: every error is a Status object with a code, a reason for machines and a
// message for people. Wording was compared with kube-apiserver 1.34.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::local {

using Json = nlohmann::json;

struct ApiError {
  int code = 500;
  std::string reason;
  std::string message;
  Json details = nullptr;

  Json ToStatus() const;
};

// A T or an ApiError.
template <typename T>
class [[nodiscard]] Answer {
 public:
  Answer(T value) : state_(std::in_place_index<0>, std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Answer(ApiError error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  const ApiError& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, ApiError> state_;
};

// What a Status says about one field.
struct FieldError {
  std::string reason;  // "FieldValueRequired"
  std::string field;   // "spec.replicas"
  std::string message;
};

FieldError Required(std::string field, std::string_view detail = "");
FieldError InvalidValue(std::string field, const Json& value, std::string_view detail);

namespace errors {
// `resource` is "configmaps" or "storageclusters.storage.holdfast.dev".
ApiError NotFound(std::string_view resource, std::string_view name);
ApiError AlreadyExists(std::string_view resource, std::string_view name);
ApiError Conflict(std::string_view resource, std::string_view name, std::string_view why);
// The optimistic lock failed.
ApiError Modified(std::string_view resource, std::string_view name);
// `kind` is "ConfigMap" or "StorageCluster.storage.holdfast.dev".
ApiError Invalid(std::string_view kind, std::string_view name, const std::vector<FieldError>& fields);
ApiError Forbidden(std::string_view resource, std::string_view name, std::string_view why);
ApiError BadRequest(std::string_view message);
ApiError Expired(std::string_view message);
ApiError TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current);
ApiError UnsupportedMediaType(std::string_view message);
ApiError MethodNotAllowed();
ApiError UnknownResource();
// A JSON patch that does not apply.
ApiError Unprocessable();
ApiError Internal(std::string_view message);
}  // namespace errors

}  // namespace holdfast::local

#define HOLDFAST_LOCAL_CONCAT_INNER(a, b) a##b
#define HOLDFAST_LOCAL_CONCAT(a, b) HOLDFAST_LOCAL_CONCAT_INNER(a, b)
#define HOLDFAST_TRY(declaration, expression) \
  HOLDFAST_TRY_IMPL(HOLDFAST_LOCAL_CONCAT(holdfast_answer_, __LINE__), declaration, expression)
#define HOLDFAST_TRY_IMPL(answer, declaration, expression) \
  auto answer = (expression);                              \
  if (!answer.ok()) return answer.error();                 \
  declaration = std::move(answer).value()
