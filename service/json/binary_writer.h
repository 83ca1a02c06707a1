// CBOR and MessagePack. Objects and arrays are written with 32-bit counts, which are filled in when they end.
#pragma once

#include <string>
#include <vector>

#include "service/json/document_writer.h"
#include "service/json/json_value.h"

namespace holdfast::json {

class BinaryWriter final : public DocumentWriter {
 public:
  // kCbor or kMessagePack.
  explicit BinaryWriter(Format format) : cbor_(format == Format::kCbor) {}

  BinaryWriter& BeginObject() override { return Open(cbor_ ? 0xba : 0xdf, true); }
  BinaryWriter& EndObject() override { return Close(); }
  BinaryWriter& BeginArray() override { return Open(cbor_ ? 0x9a : 0xdd, false); }
  BinaryWriter& EndArray() override { return Close(); }
  BinaryWriter& Key(std::string_view name) override;
  BinaryWriter& String(std::string_view text) override;
  BinaryWriter& Bytes(std::string_view bytes) override;
  BinaryWriter& Integer(std::int64_t number) override;
  BinaryWriter& Unsigned(std::uint64_t number) override;
  BinaryWriter& Bool(bool value) override;
  BinaryWriter& Raw(std::string_view json) override;

  bool has_bytes() const override { return true; }
  std::size_t size() const override { return out_.size(); }
  std::string Take() override { return std::move(out_); }

 private:
  struct Container {
    std::size_t count_at;  // where its count stands in out_
    std::uint32_t count;
    bool object;
  };

  BinaryWriter& Open(unsigned char head, bool object);
  BinaryWriter& Close();
  void CountValue();
  void Byte(unsigned byte) { out_.push_back(static_cast<char>(byte)); }
  void BigEndian(std::uint64_t number, int bytes);
  // CBOR: a major type with its argument, in the fewest bytes.
  void CborHead(unsigned major, std::uint64_t argument);
  void Text(std::string_view text);
  void Double(double number);
  void Value(const JsonValue& value);

  const bool cbor_;
  std::string out_;
  std::vector<Container> open_;
};

}  // namespace holdfast::json
