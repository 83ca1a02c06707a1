#include "service/item_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/json/cbor_sequence.h"

namespace holdfast::service {
namespace {

constexpr std::size_t kChunk = 1u << 20;

Error TooLarge(json::Format format, std::uint64_t number) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{} is longer than {} bytes, which no item is", PlaceOf(format, number), kMaxItemBytes)};
}

}  // namespace

Result<json::Format> ReadItemFormat(const std::string& name) {
  if (name == "json") return json::Format::kJson;
  if (name == "cbor") return json::Format::kCbor;
  return Error(ErrorCode::kInvalidArgument, fmt::format("--format is json or cbor, not \"{}\"", name));
}

std::string PlaceOf(json::Format format, std::uint64_t number) {
  return fmt::format("{} {}", format == json::Format::kCbor ? "item" : "line", number);
}

Result<std::optional<std::string>> ItemStream::Next() {
  return format_ == json::Format::kCbor ? NextCbor() : NextLine();
}

Result<std::optional<std::string>> ItemStream::NextLine() {
  std::string line;
  while (std::getline(input_, line)) {
    ++number_;
    if (line.size() > kMaxItemBytes) return TooLarge(format_, number_);
    if (!input_.eof()) whole_ += line.size() + 1;
    if (!line.empty()) return std::optional(std::move(line));
  }
  return std::optional<std::string>();
}

Result<std::optional<std::string>> ItemStream::NextCbor() {
  while (true) {
    const std::string_view rest = std::string_view(ahead_).substr(begin_);
    const Result<std::size_t> size = rest.empty() ? Result<std::size_t>(0) : json::CborItemSize(rest);
    if (!size.ok()) return Error(size.error()).WithContext(PlaceOf(format_, number_ + 1));
    if (*size > 0) {
      std::string item(rest.substr(0, *size));
      begin_ += *size;
      whole_ += *size;
      ++number_;
      return std::optional(std::move(item));
    }
    if (rest.size() > kMaxItemBytes) return TooLarge(format_, number_ + 1);
    ahead_.erase(0, begin_);
    begin_ = 0;
    const std::size_t had = ahead_.size();
    // Twice as much each time, so that a large item is not looked at for every piece of it.
    ahead_.resize(had + std::max(kChunk, had));
    input_.read(ahead_.data() + had, static_cast<std::streamsize>(ahead_.size() - had));
    ahead_.resize(had + static_cast<std::size_t>(input_.gcount()));
    if (ahead_.size() > had) continue;
    if (had == 0) return std::optional<std::string>();
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} is cut off", PlaceOf(format_, number_ + 1)));
  }
}

}  // namespace holdfast::service
