// CBOR and MessagePack. Any bytes are read or refused; what is read is within the limits of JSON, and comes back from
// what we write of it. The first byte of an input chooses the format.
#include <cstdlib>
#include <string>

#include "service/json/binary_reader.h"
#include "service/json/binary_writer.h"
#include "service/json/cbor_sequence.h"
#include "service/json/utf8.h"
#include "tests/fuzz/input.h"

namespace holdfast::json {
namespace {

using fuzz::Check;
using Kind = JsonValue::Kind;

void Write(const JsonValue& value, BinaryWriter* out) {
  switch (value.kind) {
    case Kind::kNull:
      out->Raw("null");
      break;
    case Kind::kBool:
      out->Bool(value.boolean);
      break;
    case Kind::kInteger:
      out->Integer(value.integer);
      break;
    case Kind::kNumber:
      out->Raw(value.text);
      break;
    case Kind::kString:
      out->String(value.text);
      break;
    case Kind::kBytes:
      out->Bytes(value.text);
      break;
    case Kind::kArray:
      out->BeginArray();
      for (const JsonValue& item : value.items) Write(item, out);
      out->EndArray();
      break;
    case Kind::kObject:
      out->BeginObject();
      for (std::size_t i = 0; i < value.names.size(); ++i) {
        out->Key(value.names[i]);
        Write(value.items[i], out);
      }
      out->EndObject();
  }
}

// std::stod takes a number below the least normal double for an error.
double NumberOf(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

bool Same(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind || a.names != b.names || a.items.size() != b.items.size()) return false;
  if (a.boolean != b.boolean || a.integer != b.integer) return false;
  // An integer beyond 64 bits is written as the nearest double, so its text changes.
  const bool same_text = a.kind == Kind::kNumber ? NumberOf(a.text) == NumberOf(b.text) : a.text == b.text;
  if (!same_text) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!Same(a.items[i], b.items[i])) return false;
  }
  return true;
}

void CheckTree(const JsonValue& value, std::size_t depth) {
  Check(depth <= JsonLimits{}.max_depth, "no deeper than its limit");
  if (value.kind == Kind::kString) Check(IsValidUtf8(value.text), "strings are UTF-8");
  for (const std::string& name : value.names) Check(IsValidUtf8(name), "names are UTF-8");
  for (const JsonValue& item : value.items) CheckTree(item, depth + 1);
}

}  // namespace
}  // namespace holdfast::json

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::json;
  using holdfast::fuzz::Check;
  holdfast::fuzz::Input input(data, size);
  const Format format = input.Byte() % 2 == 0 ? Format::kCbor : Format::kMessagePack;
  const std::string_view bytes = input.Rest();
  const auto value = ParseDocument(format, bytes);
  if (format == Format::kCbor) {
    const auto item = CborItemSize(bytes);
    Check(!item.ok() || *item <= bytes.size(), "an item ends within its bytes");
    Check(!value.ok() || (item.ok() && *item == bytes.size()), "a document is one item");
  }
  if (!value.ok()) {
    Check(value.error().code() == holdfast::ErrorCode::kInvalidArgument, "refused as the client's mistake");
    Check(IsValidUtf8(value.error().message()), "the message can be sent");
    return 0;
  }
  CheckTree(*value, 0);
  BinaryWriter out(format);
  Write(*value, &out);
  const std::string written = out.Take();
  const auto again = ParseDocument(format, written);
  Check(again.ok() && Same(*value, *again), "what we write of it reads back");
  return 0;
}
