// Why the server itself turns a request away; the handler makes the response of it (Handler::Refuse).
#pragma once

#include <string>
#include <string_view>

namespace holdfast::api {

struct Refusal {
  int status = 400;
  std::string_view code = "invalid_argument";  // a literal: one of the API's error codes
  std::string detail;
};

inline Refusal Malformed(std::string detail) {
  return {400, "invalid_argument", std::move(detail)};
}

}  // namespace holdfast::api
