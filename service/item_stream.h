// Items of a file or pipe one after another, in the bytes in which they stand there: as JSON a line each (blank lines
// are passed over), as CBOR a sequence (RFC 8742). Memory: one item.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "base/result/result.h"
#include "service/json/document_writer.h"

namespace holdfast::service {

// Of an item; a value is at most max_value_bytes, in base64.
inline constexpr std::size_t kMaxItemBytes = 256u << 20;

// --format: json or cbor. kInvalidArgument for anything else.
Result<json::Format> ReadItemFormat(const std::string& name);
// Which place of the input `number` is, for messages: "line 7".
std::string PlaceOf(json::Format format, std::uint64_t number);

// Not thread-safe.
class ItemStream {
 public:
  // `input` outlives it.
  ItemStream(std::istream& input, json::Format format) : input_(input), format_(format) {}

  // nullopt: the end. An error when what comes is no item, or is cut off (CBOR): where the next one begins is not
  // known.
  Result<std::optional<std::string>> Next();
  // Of the last item: its line, or how many items there were with it.
  std::uint64_t number() const { return number_; }
  // Bytes of the input up to the end of the last item; of a line that has no end it is where that begins.
  std::uint64_t whole() const { return whole_; }

 private:
  Result<std::optional<std::string>> NextLine();
  Result<std::optional<std::string>> NextCbor();

  std::istream& input_;
  const json::Format format_;
  std::string ahead_;  // read and not given out
  std::size_t begin_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t whole_ = 0;
};

}  // namespace holdfast::service
