// Result<T>: a T or an Error. Status: nothing or an Error. Both are [[nodiscard]] and warnings are errors here, so an
// error cannot be dropped by accident. Reading the value of a failed Result is a programming error and aborts.
//
//   HOLDFAST_ASSIGN_OR_RETURN(auto page, backend.Scan(request, deadline));
//   HOLDFAST_RETURN_IF_ERROR(backend.Flush());
//   return std::move(result).WithContext("opening store main");
#pragma once

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result/error.h"

namespace holdfast {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return *ValueOrDie(); }
  const T& value() const& { return *const_cast<Result*>(this)->ValueOrDie(); }
  T&& value() && { return std::move(*ValueOrDie()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return ValueOrDie(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return *ErrorOrDie(); }
  Error&& error() && { return std::move(*const_cast<Error*>(ErrorOrDie())); }

  Result WithContext(std::string_view context) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().WithContext(context);
  }

 private:
  T* ValueOrDie() {
    T* value = std::get_if<0>(&state_);
    if (value == nullptr) std::abort();
    return value;
  }
  const Error* ErrorOrDie() const {
    const Error* error = std::get_if<1>(&state_);
    if (error == nullptr) std::abort();
    return error;
  }

  std::variant<T, Error> state_;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  static Status Ok() { return {}; }

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  const Error& error() const& {
    if (!error_) std::abort();
    return *error_;
  }
  Error&& error() && {
    if (!error_) std::abort();
    return std::move(*error_);
  }

  Status WithContext(std::string_view context) && {
    if (ok()) return {};
    return std::move(*error_).WithContext(context);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace holdfast

#define HOLDFAST_CONCAT_INNER(a, b) a##b
#define HOLDFAST_CONCAT(a, b) HOLDFAST_CONCAT_INNER(a, b)

#define HOLDFAST_RETURN_IF_ERROR(expression)                              \
  do {                                                                    \
    auto holdfast_status = (expression);                                  \
    if (!holdfast_status.ok()) return std::move(holdfast_status).error(); \
  } while (false)

#define HOLDFAST_ASSIGN_OR_RETURN(declaration, expression) \
  HOLDFAST_ASSIGN_OR_RETURN_IMPL(HOLDFAST_CONCAT(holdfast_result_, __LINE__), declaration, expression)

#define HOLDFAST_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                           \
  if (!result.ok()) return std::move(result).error();                   \
  declaration = std::move(result).value()
