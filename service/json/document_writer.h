// Writes one document, value by value, straight into a string: what answers are made with. The same calls give JSON,
// CBOR (RFC 8949) or MessagePack (its specification of 2013).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::json {

enum class Format { kJson, kCbor, kMessagePack };

// Not checked: the caller opens and closes in order, and writes a Key before each value of an object. Not thread-safe.
class DocumentWriter {
 public:
  virtual ~DocumentWriter() = default;

  virtual DocumentWriter& BeginObject() = 0;
  virtual DocumentWriter& EndObject() = 0;
  virtual DocumentWriter& BeginArray() = 0;
  virtual DocumentWriter& EndArray() = 0;
  virtual DocumentWriter& Key(std::string_view name) = 0;
  // Valid UTF-8.
  virtual DocumentWriter& String(std::string_view text) = 0;
  // Any bytes where has_bytes(); in JSON a string, so they must be valid UTF-8 there.
  virtual DocumentWriter& Bytes(std::string_view bytes) = 0;
  virtual DocumentWriter& Integer(std::int64_t number) = 0;
  virtual DocumentWriter& Unsigned(std::uint64_t number) = 0;
  virtual DocumentWriter& Bool(bool value) = 0;
  // A value that is there as JSON text. In the binary formats a number beyond 64 bits becomes the double next to it.
  virtual DocumentWriter& Raw(std::string_view json) = 0;

  // Whether the format knows byte strings; where it does not, bytes that are no text are written in base64.
  virtual bool has_bytes() const = 0;
  virtual std::size_t size() const = 0;
  virtual std::string Take() = 0;
};

std::unique_ptr<DocumentWriter> MakeWriter(Format format);
// JSON text in another format; valid JSON, as a JsonWriter writes it.
std::string Transcode(std::string json, Format format);

}  // namespace holdfast::json
