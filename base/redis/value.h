// What a Redis server answers, owned and binary safe (RESP2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::redis {

// A value type; moving it is cheap. Asking it for what it is not is a programming error and aborts: look at `type`
// first, or use the functions of reply.h, which make an Error of an answer nobody expected.
class Value {
 public:
  enum class Type {
    kNil,  // also the null array
    kInteger,
    kString,  // a bulk string: any bytes, of any length
    kStatus,  // a simple string: "OK"
    kError,   // the server's words: "WRONGTYPE Operation against ..."; only within an array, see Replies
    kArray,
  };

  Value() = default;
  static Value Integer(std::int64_t number) { return {Type::kInteger, number}; }
  static Value String(std::string bytes) { return {Type::kString, std::move(bytes)}; }
  static Value StatusLine(std::string line) { return {Type::kStatus, std::move(line)}; }
  static Value ErrorLine(std::string line) { return {Type::kError, std::move(line)}; }
  static Value Array(std::vector<Value> elements) { return {Type::kArray, std::move(elements)}; }

  Type type() const { return type_; }
  bool IsNil() const { return type_ == Type::kNil; }
  bool IsInteger() const { return type_ == Type::kInteger; }
  bool IsString() const { return type_ == Type::kString; }
  bool IsArray() const { return type_ == Type::kArray; }
  bool IsError() const { return type_ == Type::kError; }

  std::int64_t integer() const { return std::get<std::int64_t>(content_); }
  // Of a string, a status or an error.
  const std::string& text() const { return std::get<std::string>(content_); }
  std::string& text() { return std::get<std::string>(content_); }
  const std::vector<Value>& elements() const { return std::get<std::vector<Value>>(content_); }
  std::vector<Value>& elements() { return std::get<std::vector<Value>>(content_); }

  friend bool operator==(const Value& a, const Value& b) = default;

 private:
  using Content = std::variant<std::monostate, std::int64_t, std::string, std::vector<Value>>;
  Value(Type type, Content content) : type_(type), content_(std::move(content)) {}

  Type type_ = Type::kNil;
  Content content_;
};

// "nil", "integer", "string", "status", "error", "array": for messages.
std::string_view TypeName(Value::Type type);

}  // namespace holdfast::redis
