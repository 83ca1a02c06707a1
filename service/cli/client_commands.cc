#include "service/cli/client_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/files/read_file.h"
#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "service/cli/arguments.h"
#include "service/cli/backup_command.h"
#include "service/cli/bench_command.h"
#include "service/cli/checkpoint_command.h"
#include "service/cli/migration_command.h"
#include "service/cli/outcome.h"

namespace holdfast::cli {
namespace {

using http::ClientRequest;
using http::ClientResponse;
using nlohmann::json;

// No service takes a larger one.
constexpr std::size_t kMaxValueBytes = 1u << 30;

constexpr Option kCommon[] = {
    {"--url", "URL", "the service; default: $HOLDFAST_URL or http://127.0.0.1:8080"},
    {"--store", "NAME", "default: _default"},
    {"--timeout", "DURATION", "how long to wait for an answer; default: 10s"},
    {"--verbose", "", "print status and headers of the answer to standard error"},
    {"--help", "", "this text"},
};
constexpr Option kHealthOptions[] = {
    {"--url", "URL", "the admin port; default: $HOLDFAST_ADMIN_URL or http://127.0.0.1:9090"},
    {"--timeout", "DURATION", "how long to wait for an answer; default: 10s"},
    {"--wait", "DURATION", "ask again until it is healthy, so long at most; default: ask once"},
    {"--help", "", "this text"},
};
constexpr Option kPutOptions[] = {
    {"--file", "FILE", "read the value from FILE; - is standard input"},
    {"--ttl", "DURATION", "30s, 5m, 1h, keep or none; default: the store's"},
    {"--content-type", "TYPE", "stored with the value"},
    {"--metadata", "JSON", "a JSON object, stored with the value"},
    {"--tags", "A,B", "stored with the value"},
    {"--create", "", "only when there is no such key"},
    {"--if-match", "ETAG", "only when the key has this ETag; * = any"},
};
constexpr Option kDeleteOptions[] = {
    {"--if-match", "ETAG", "only when the key has this ETag; * = any"},
};
constexpr Option kScanOptions[] = {
    {"--start", "KEY", "from this key on"},
    {"--end", "KEY", "up to the key before this one"},
    {"--limit", "N", "stop after N keys; default: all"},
    {"--descending", "", "last key first"},
    {"--values", "", "print KEY, a tab and the value"},
    {"--json", "", "print one JSON object per key, with everything known of it"},
};

// What a command needs to talk to the service.
struct Session {
  const Command& command;
  Arguments arguments;
  std::string url;
  std::chrono::microseconds timeout;
};

int Complain(const Session& session, std::string_view what) {
  return cli::Complain(session.command.name, what);
}

int Refused(const Session& session, const ClientResponse& response) {
  return cli::Refused(session.command.name, response);
}

Result<ClientResponse> Ask(const Session& session, const ClientRequest& request) {
  http::ClientOptions options;
  options.base_url = session.url;
  http::HttpClient client(std::move(options));
  // Longer than the service's own deadline, so that its answer says what happened.
  constexpr std::chrono::seconds kGrace{2};
  return client.Send(request, Deadline::After(session.timeout + kGrace));
}

std::optional<ClientResponse> Send(const Session& session, const ClientRequest& request, int* exit_code) {
  auto response = Ask(session, request);
  if (!response.ok()) {
    *exit_code = NotAnswered(session.command.name, response.error());
    return std::nullopt;
  }
  if (session.arguments.Has("--verbose")) {
    fmt::print(stderr, "{}\n", response->status);
    for (const auto& [name, value] : response->headers) fmt::print(stderr, "{}: {}\n", name, value);
  }
  return std::move(response).value();
}

std::string StorePath(const Session& session) {
  return "/v1/stores/" + http::PercentEncode(session.arguments.Get("--store", "_default"));
}

std::string KeyPath(const Session& session) {
  return StorePath(session) + "/keys/" + http::PercentEncode(session.arguments.positional[0], "/:");
}

ClientRequest MakeRequest(const Session& session, std::string method, std::string target) {
  ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.emplace("Holdfast-Timeout", FormatDuration(session.timeout));
  return request;
}

// The shell makes quotes a nuisance: both 7 and "7" are understood.
std::string Quoted(const std::string& etag) {
  return etag == "*" || etag.starts_with('"') ? etag : fmt::format("\"{}\"", etag);
}

// Until the service is healthy or --wait is over.
Result<ClientResponse> AskForHealth(const Session& session, Deadline patience) {
  constexpr std::chrono::milliseconds kPause{500};
  bool told = false;
  for (;;) {
    auto response = Ask(session, {"GET", "/healthz", {}, {}});
    const bool healthy = response.ok() && response->status == 200;
    if (healthy || patience.Expired()) return response;
    if (!std::exchange(told, true)) fmt::print(stderr, "holdfast health: not healthy yet, asking again\n");
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(kPause, patience.Remaining()));
  }
}

int Health(const Session& session) {
  const auto wait = ParseDuration(session.arguments.Get("--wait", "0s"));
  if (!wait.ok()) {
    return UsageError(session.command.name, {ErrorCode::kInvalidArgument, "--wait is not a duration, like 30s"});
  }
  const auto response = AskForHealth(session, Deadline::After(*wait));
  if (!response.ok()) return NotAnswered(session.command.name, response.error());
  fmt::print("{}\n", response->body);
  return response->status == 200 ? kOk : kNotAvailable;
}

int Get(const Session& session) {
  int exit_code = kOk;
  const auto response = Send(session, MakeRequest(session, "GET", KeyPath(session)), &exit_code);
  if (!response) return exit_code;
  if (response->status != 200) return Refused(session, *response);
  std::cout.write(response->body.data(), static_cast<std::streamsize>(response->body.size()));
  std::cout.flush();
  return std::cout.good() ? kOk : Complain(session, "standard output could not be written");
}

Result<std::string> ReadValue(const Arguments& arguments) {
  const std::string file = arguments.Get("--file", "-");
  if (arguments.positional.size() == 2) {
    if (arguments.Has("--file")) {
      return Error(ErrorCode::kInvalidArgument, "the value is given twice: as an argument and with --file");
    }
    return arguments.positional[1];
  }
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return Error(ErrorCode::kInvalidArgument, fmt::format("cannot read {}; does it exist?", file));
  }
  std::istream& input = file == "-" ? std::cin : opened;
  return files::ReadStream(input, file == "-" ? "standard input" : file, kMaxValueBytes);
}

int Put(const Session& session) {
  const Arguments& arguments = session.arguments;
  if (arguments.Has("--create") && arguments.Has("--if-match")) {
    return UsageError("put", {ErrorCode::kInvalidArgument, "--create and --if-match contradict each other"});
  }
  auto value = ReadValue(arguments);
  if (!value.ok()) return UsageError("put", value.error());
  ClientRequest request = MakeRequest(session, "PUT", KeyPath(session));
  request.body = std::move(value).value();
  constexpr std::pair<std::string_view, const char*> kHeaders[] = {{"--ttl", "Holdfast-TTL"},
                                                                   {"--content-type", "Content-Type"},
                                                                   {"--metadata", "Holdfast-Metadata"},
                                                                   {"--tags", "Holdfast-Tags"}};
  for (const auto& [option, header] : kHeaders) {
    if (arguments.Has(option)) request.headers.emplace(header, arguments.Get(option));
  }
  if (!arguments.Has("--content-type")) request.headers.emplace("Content-Type", "application/octet-stream");
  if (arguments.Has("--create")) request.headers.emplace("If-None-Match", "*");
  if (arguments.Has("--if-match")) request.headers.emplace("If-Match", Quoted(arguments.Get("--if-match")));
  int exit_code = kOk;
  const auto response = Send(session, request, &exit_code);
  if (!response) return exit_code;
  if (response->status != 201 && response->status != 204) return Refused(session, *response);
  const auto etag = response->headers.find("ETag");
  if (etag != response->headers.end()) fmt::print("{}\n", etag->second);
  return kOk;
}

int Delete(const Session& session) {
  ClientRequest request = MakeRequest(session, "DELETE", KeyPath(session));
  if (session.arguments.Has("--if-match")) {
    request.headers.emplace("If-Match", Quoted(session.arguments.Get("--if-match")));
  }
  int exit_code = kOk;
  const auto response = Send(session, request, &exit_code);
  if (!response) return exit_code;
  return response->status == 204 ? kOk : Refused(session, *response);
}

void PrintItem(const Session& session, const json& item) {
  if (session.arguments.Has("--json")) {
    fmt::print("{}\n", item.dump());
    return;
  }
  const std::string_view prefix = item.contains("encoding") ? "base64:" : "";
  fmt::print("{}{}", prefix, item.value("key", ""));
  if (session.arguments.Has("--values")) fmt::print("\t{}{}", prefix, item.value("value", ""));
  fmt::print("\n");
}

std::string PageTarget(const Session& session, std::size_t limit, const std::string& cursor) {
  const Arguments& arguments = session.arguments;
  std::string target = fmt::format("{}/keys?limit={}", StorePath(session), limit);
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) target += fmt::format("&{}={}", name, http::PercentEncode(value));
  };
  add("prefix", arguments.positional.empty() ? "" : arguments.positional[0]);
  add("start", arguments.Get("--start"));
  add("end", arguments.Get("--end"));
  add("order", arguments.Has("--descending") ? "desc" : "");
  add("values", arguments.Has("--values") ? "true" : "");
  add("cursor", cursor);
  return target;
}

Result<std::optional<std::size_t>> ReadLimit(const Arguments& arguments) {
  if (!arguments.Has("--limit")) return std::optional<std::size_t>();
  const std::string text = arguments.Get("--limit");
  const bool digits = !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoull(text) == 0) {
    return Error(ErrorCode::kInvalidArgument, "--limit is not a whole number above zero");
  }
  return std::optional<std::size_t>(std::stoull(text));
}

int Scan(const Session& session) {
  constexpr std::size_t kPage = 1000;
  auto limit = ReadLimit(session.arguments);
  if (!limit.ok()) return UsageError("scan", limit.error());
  std::size_t left = limit->value_or(SIZE_MAX);
  std::string cursor;
  while (true) {
    int exit_code = kOk;
    const std::string target = PageTarget(session, std::min(left, kPage), cursor);
    const auto response = Send(session, MakeRequest(session, "GET", target), &exit_code);
    if (!response) return exit_code;
    if (response->status != 200) return Refused(session, *response);
    const json page = json::parse(response->body, nullptr, false);
    if (!page.is_object() || !page.contains("items") || !page["items"].is_array()) {
      return Complain(session, "the answer is no list of keys; is this a Holdfast service?");
    }
    for (const json& item : page["items"]) PrintItem(session, item);
    left -= std::min(left, page["items"].size());
    cursor = page.value("cursor", "");
    if (page.value("complete", true) || left == 0) return kOk;
  }
}

constexpr std::array kCommands = {
    Command{"health", "", "Prints the health of the backends as JSON.", "Exit code 0 unless the service is unhealthy.",
            0, 0, kHealthOptions},
    Command{"get", "KEY", "Prints the value of a key as it is, without a newline of its own.", "", 1, 1, {}},
    Command{"put", "KEY [VALUE]", "Writes a key and prints its new ETag.",
            "Without VALUE and --file the value is read from standard input.", 1, 2, kPutOptions},
    Command{"delete", "KEY", "Deletes a key, whether or not it is there.", "", 1, 1, kDeleteOptions},
    Command{"scan", "[PREFIX]", "Prints keys in byte order, one per line.",
            "A key (or value) that is not UTF-8 is printed as base64:..., both of them then.", 0, 1, kScanOptions},
};
constexpr std::array<int (*)(const Session&), kCommands.size()> kRun = {Health, Get, Put, Delete, Scan};

void PrintOverview(std::FILE* to) {
  fmt::print(to,
             "Usage: holdfast COMMAND [OPTIONS]\n\n"
             "The service:\n"
             "  {:<22} run the state service\n"
             "  {:<22} check the settings and print them\n"
             "  {:<22} bring the schema of a PostgreSQL backend from step to step\n"
             "  {:<22} put items into a store, past the service\n"
             "  {:<22} write the items of a store, as import takes them\n"
             "  {:<22} copy the keys of a store into another one, and compare them\n"
             "  {:<22} print the version\n\n"
             "Its clients:\n",
             "serve", "check-config", "migrate", "import", "export", "copy", "version");
  for (const Command& command : kCommands) {
    fmt::print(to, "  {:<22} {}\n", fmt::format("{} {}", command.name, command.synopsis), command.summary);
  }
  fmt::print(to, "  {:<22} {}\n", "migration ACTION", kMigrationCommand.summary);
  fmt::print(to, "  {:<22} {}\n", "checkpoint ACTION", kCheckpointCommand.summary);
  fmt::print(to, "  {:<22} {}\n", "backup ACTION", kBackupCommand.summary);
  fmt::print(to, "  {:<22} {}\n", "restore [ID]",
             "The same as backup restore: of a backup, or with --to-time to a time.");
  fmt::print(to, "  {:<22} {}\n", kBenchCommand.name, kBenchCommand.summary);
  fmt::print(to,
             "\nholdfast COMMAND --help says more.\n\n"
             "Exit codes of the clients: 0 ok, 1 no such key or a precondition that does not hold,\n"
             "2 wrong usage, 3 the service cannot be reached or cannot answer now,\n"
             "4 a write was sent and its outcome is not known.\n");
}

}  // namespace

int RunClientCommand(const std::string& name, const std::vector<std::string>& words) {
  if (name == "help" || name == "--help" || name == "-h") {
    PrintOverview(stdout);
    return kOk;
  }
  if (name == kBenchCommand.name) return RunBench(words);
  if (name == kMigrationCommand.name) return RunMigration(words);
  if (name == kCheckpointCommand.name) return RunCheckpoint(words);
  if (name == kBackupCommand.name) return RunBackup(words);
  if (name == kRestoreWord) {
    std::vector<std::string> all{std::string(kRestoreWord)};
    all.insert(all.end(), words.begin(), words.end());
    return RunBackup(all);
  }
  const auto found =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& command) { return command.name == name; });
  if (found == kCommands.end()) {
    if (!name.empty()) fmt::print(stderr, "holdfast: unknown command \"{}\"\n\n", name);
    PrintOverview(stderr);
    return kUsage;
  }
  const bool admin = name == "health";
  const std::span<const Option> common = admin ? std::span<const Option>() : std::span<const Option>(kCommon);
  auto arguments = Parse(*found, common, words);
  if (!arguments.ok()) return UsageError(name, arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", HelpOf(*found, common));
    return kOk;
  }
  const auto timeout = ParseDuration(arguments->Get("--timeout", "10s"));
  if (!timeout.ok() || *timeout <= std::chrono::microseconds::zero()) {
    return UsageError(name, {ErrorCode::kInvalidArgument, "--timeout is not a duration above zero, like 10s"});
  }
  const std::string url = admin ? ServiceUrl(*arguments, "HOLDFAST_ADMIN_URL", "http://127.0.0.1:9090")
                                : ServiceUrl(*arguments, "HOLDFAST_URL", "http://127.0.0.1:8080");
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return UsageError(name, {ErrorCode::kInvalidArgument, "the URL must begin with http:// or https://"});
  }
  const Session session{*found, std::move(arguments).value(), url, *timeout};
  return kRun[static_cast<std::size_t>(found - kCommands.begin())](session);
}

}  // namespace holdfast::cli
