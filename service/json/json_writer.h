// Writes JSON text straight into a string: what lists and batches answer with, without building a document first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::json {

// Appends `text`, which must be valid UTF-8, as a JSON string with its quotes. Control characters and DEL are escaped,
// so that the result may also stand in an HTTP header.
void AppendJsonString(std::string* out, std::string_view text);

// JSON text with every character outside ASCII written as \uXXXX: the same document, fit for a header field.
std::string ToAsciiJson(std::string_view json);

// Not checked: the caller opens and closes in order, and writes a Key before each value of an object.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view text);
  JsonWriter& Integer(std::int64_t number);
  JsonWriter& Unsigned(std::uint64_t number);
  JsonWriter& Bool(bool value);
  // Text that is JSON already.
  JsonWriter& Raw(std::string_view json);

  std::size_t size() const { return out_.size(); }
  std::string Take() { return std::move(out_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string out_;
  bool first_ = true;  // nothing stands yet in the innermost object or array, or a key has just been written
};

}  // namespace holdfast::json
