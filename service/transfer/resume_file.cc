#include "service/transfer/resume_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "service/json/json_value.h"
#include "service/json/json_writer.h"

namespace holdfast::transfer {
namespace {

// Of the file: a key, twice as long in hexadecimal digits, and a few words.
constexpr std::size_t kMaxBytes = 64u << 10;
constexpr mode_t kMode = 0600;

std::string ToHex(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::optional<std::string> FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    const char* const end = hex.data() + i + 2;
    if (std::from_chars(hex.data() + i, end, byte, 16).ptr != end) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  if (hex.size() % 2 != 0) return std::nullopt;
  return bytes;
}

Error FailedTo(const char* what, const std::string& path) {
  return {ErrorCode::kUnavailable, fmt::format("{} {}: {}", what, path, std::generic_category().message(errno))};
}

Status WriteSynced(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (file < 0) return FailedTo("opening", path);
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool synced = written && ::fsync(file) == 0;
  Status status = synced ? Status() : FailedTo("writing", path);
  ::close(file);
  return status;
}

std::uint64_t NumberIn(const json::JsonValue& object, std::string_view name) {
  const json::JsonValue* const value = object.Find(name);
  return value != nullptr && value->integer > 0 ? static_cast<std::uint64_t>(value->integer) : 0;
}

}  // namespace

Result<ResumeFile> ResumeFile::Open(std::string path, std::string run) {
  ResumeFile file(std::move(path), std::move(run));
  std::error_code error;
  if (!std::filesystem::exists(file.path_, error)) {
    if (error) return Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", file.path_, error.message()));
    return file;
  }
  std::ifstream input(file.path_, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(input.gcount()));
  HOLDFAST_RETURN_IF_ERROR(file.Read(text).WithContext(file.path_));
  return file;
}

Status ResumeFile::Read(const std::string& text) {
  const auto no_such = [] {
    return Error(ErrorCode::kInvalidArgument, "is no file that --resume has written; name another one");
  };
  const auto parsed = text.size() > kMaxBytes ? Result<json::JsonValue>(no_such()) : json::ParseJson(text);
  if (!parsed.ok()) return no_such();
  const json::JsonValue* const run = parsed->Find("run");
  const json::JsonValue* const cursor = parsed->Find("cursor");
  if (run == nullptr || cursor == nullptr) return no_such();
  if (run->text != run_) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("is of another run ({}; this one: {}); name another file or remove it", run->text, run_));
  }
  std::optional<std::string> bytes = FromHex(cursor->text);
  if (!bytes) return no_such();
  reached_ = {std::move(*bytes), NumberIn(*parsed, "items"), NumberIn(*parsed, "failed")};
  resumed_ = true;
  return {};
}

Status ResumeFile::Save(Reached reached) {
  json::JsonWriter json;
  json.BeginObject().Key("run").String(run_).Key("cursor").String(ToHex(reached.cursor));
  json.Key("items").Unsigned(reached.items).Key("failed").Unsigned(reached.failed).EndObject();
  const std::string next = path_ + ".next";
  HOLDFAST_RETURN_IF_ERROR(WriteSynced(next, json.Take() + "\n"));
  if (std::rename(next.c_str(), path_.c_str()) != 0) return FailedTo("renaming", next);
  reached_ = std::move(reached);
  return {};
}

Status ResumeFile::Remove() {
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) return Error(ErrorCode::kUnavailable, fmt::format("removing {}: {}", path_, error.message()));
  return {};
}

}  // namespace holdfast::transfer
