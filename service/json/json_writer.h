// JSON, written by hand: documents without building a tree first, and single strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/json/document_writer.h"

namespace holdfast::json {

// Appends `text`, which must be valid UTF-8, as a JSON string with its quotes. Control characters and DEL are escaped,
// so that the result may also stand in an HTTP header.
void AppendJsonString(std::string* out, std::string_view text);

// JSON text with every character outside ASCII written as \uXXXX: the same document, fit for a header field.
std::string ToAsciiJson(std::string_view json);

// JSON text.
class JsonWriter final : public DocumentWriter {
 public:
  JsonWriter& BeginObject() override { return Open('{'); }
  JsonWriter& EndObject() override { return Close('}'); }
  JsonWriter& BeginArray() override { return Open('['); }
  JsonWriter& EndArray() override { return Close(']'); }
  JsonWriter& Key(std::string_view name) override;
  JsonWriter& String(std::string_view text) override;
  JsonWriter& Bytes(std::string_view bytes) override { return String(bytes); }
  JsonWriter& Integer(std::int64_t number) override;
  JsonWriter& Unsigned(std::uint64_t number) override;
  JsonWriter& Bool(bool value) override;
  JsonWriter& Raw(std::string_view json) override;

  bool has_bytes() const override { return false; }
  std::size_t size() const override { return out_.size(); }
  std::string Take() override { return std::move(out_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string out_;
  bool first_ = true;  // nothing stands yet in the innermost object or array, or a key has just been written
};

}  // namespace holdfast::json
