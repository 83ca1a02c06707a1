#include "operator/backup/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

using Json = nlohmann::json;

constexpr char kTick[] = "holdfast-tick";

std::string Text(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_string() ? object.at(path).get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

bool IsTrue(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path) == true;
}

Json ListAt(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_array() ? object.at(path) : Json::array();
}

std::optional<Timestamp> Time(const std::string& text) {
  const auto time = ParseTimestamp(text);
  return time.ok() ? std::optional(*time) : std::nullopt;
}

std::optional<Attempt> AttemptOf(const Json& document, const char* command) {
  const std::string pointer = std::string("/attempts/") + command;
  const Json::json_pointer path(pointer);
  if (!document.contains(path) || !document.at(path).is_object()) return std::nullopt;
  const Json& object = document.at(path);
  const std::optional<Timestamp> started = Time(Text(object, "/started"));
  if (!started) return std::nullopt;
  return Attempt{.type = Text(object, "/type"),
                 .started = *started,
                 .ended = Time(Text(object, "/ended")),
                 .ok = IsTrue(object, "/ok"),
                 .message = Text(object, "/message"),
                 .failures = Number(object, "/failures")};
}

void AddStanza(const Json& stanza, Report* report) {
  // Listed although it is not there, with a code that says so.
  report->stanza = !ListAt(stanza, "/db").empty();
  for (const Json& archive : ListAt(stanza, "/archive")) {
    report->newest_segment = std::max(report->newest_segment, Text(archive, "/max"));
  }
  for (const Json& each : ListAt(stanza, "/backup")) {
    // Pages that do not match their checksums: no backup to rely on.
    if (IsTrue(each, "/error")) continue;
    report->backups.push_back({.type = Text(each, "/type"),
                               .tick = Time(Text(each, (std::string("/annotation/") + kTick).c_str())),
                               .start = Timestamp{std::chrono::seconds{Number(each, "/timestamp/start")}},
                               .stop = Timestamp{std::chrono::seconds{Number(each, "/timestamp/stop")}},
                               .bytes = Number(each, "/info/repository/delta")});
  }
}

}  // namespace

Result<Report> ParseReport(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("attempts")) {
    return Error(ErrorCode::kCorruption, "not what the pod of a repository says");
  }
  Report report;
  report.error = Text(document, "/error");
  for (const Json& stanza : ListAt(document, "/info")) AddStanza(stanza, &report);
  report.running = document.contains("running") && document.at("running").is_object();
  report.backup = AttemptOf(document, "backup");
  report.stanza_create = AttemptOf(document, "stanza-create");
  if (document.contains("room")) {
    report.room = Room{.size = Number(document, "/room/size"), .free = Number(document, "/room/free")};
  }
  return report;
}

Result<Archiver> ParseArchiver(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  const Json::json_pointer path("/archiver");
  if (!document.is_object() || !document.contains(path) || !document.at(path).is_object()) {
    return Error(ErrorCode::kCorruption, "not what a server's pod says of its archive");
  }
  return Archiver{.failing = IsTrue(document, "/archiver/failing"),
                  .failures = Number(document, "/archiver/failed_count"),
                  .segment = Text(document, "/archiver/last_failed_wal"),
                  .waiting = Number(document, "/archiver/waiting")};
}

}  // namespace holdfast::backup
