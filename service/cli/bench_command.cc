#include "service/cli/bench_command.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "service/bench/load.h"
#include "service/bench/report.h"

namespace holdfast::cli {
namespace {

constexpr Option kOptions[] = {
    {"--operation", "WHAT", "get, put or mixed; default: get"},
    {"--reads", "PERCENT", "of mixed: how many requests get; default: 90"},
    {"--connections", "N", "1 to 10000; default: 64"},
    {"--rate", "N", "open loop: N requests a second, latency from when each was due; default: closed loop"},
    {"--duration", "DURATION", "of the measurement; default: 10s"},
    {"--warmup", "DURATION", "the same load before it; default: 1s"},
    {"--keys", "N", "PREFIX0 to PREFIX(N-1), in random order; default: 10000"},
    {"--value-size", "BYTES", "of what is put; default: 100"},
    {"--prefix", "PREFIX", "in front of every key; default: bench/"},
    {"--skip-fill", "", "do not put every key once first; they must be there"},
    {"--json", "", "print one JSON object instead of text"},
    {"--url", "URL", "the service, http only; default: $HOLDFAST_URL or http://127.0.0.1:8080"},
    {"--store", "NAME", "default: _default"},
    {"--namespace", "NAME", "default: the caller's own"},
    {"--token-file", "FILE", "the bearer token to send"},
    {"--timeout", "DURATION", "how long to wait for an answer; default: 10s"},
    {"--help", "", "this text"},
};

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<double> Number(const Arguments& arguments, std::string_view name, double fallback, double least, double most,
                      bool whole) {
  if (!arguments.Has(name)) return fallback;
  const std::string text = arguments.Get(name);
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool read = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!read || !(number >= least && number <= most) || (whole && number != std::floor(number))) {
    return Usage(fmt::format("{} is not a {}number from {} to {}", name, whole ? "whole " : "", least, most));
  }
  return number;
}

Result<std::chrono::nanoseconds> Period(const Arguments& arguments, std::string_view name, std::string_view fallback,
                                        bool may_be_zero) {
  const auto period = ParseDuration(arguments.Get(name, fallback));
  if (!period.ok() || period->count() < (may_be_zero ? 0 : 1) || *period > std::chrono::hours{24}) {
    return Usage(fmt::format("{} is not a duration up to 24h, like 10s", name));
  }
  return std::chrono::nanoseconds{*period};
}

Result<double> ShareOfReads(const Arguments& arguments) {
  const std::string operation = arguments.Get("--operation", "get");
  if (operation != "mixed" && arguments.Has("--reads")) return Usage("--reads belongs to --operation mixed");
  if (operation == "get") return 1.0;
  if (operation == "put") return 0.0;
  if (operation != "mixed") return Usage("--operation is not get, put or mixed");
  HOLDFAST_ASSIGN_OR_RETURN(const double percent, Number(arguments, "--reads", 90, 0, 100, false));
  return percent / 100;
}

// host and port of http://HOST[:PORT].
Status ReadUrl(std::string_view url, bench::LoadPlan* plan) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return Usage("bench speaks plain HTTP only; give --url http://HOST:PORT");
  url.remove_prefix(kScheme.size());
  if (url.empty() || url.find_first_of("/?#@ ") != url.npos) return Usage("--url is not http://HOST:PORT");
  const std::size_t bracket = url.find(']');
  const std::size_t colon = url.find(':', bracket == url.npos ? 0 : bracket);
  plan->host = url.substr(0, colon);
  if (bracket != url.npos && plan->host.front() == '[') plan->host = plan->host.substr(1, bracket - 1);
  plan->port = colon == url.npos ? std::string("80") : std::string(url.substr(colon + 1));
  return {};
}

Status ReadHeaders(const Arguments& arguments, bench::LoadPlan* plan) {
  const auto add = [plan](std::string_view name, const std::string& value) -> Status {
    if (value.empty() || value.find_first_of("\r\n") != std::string::npos) {
      return Usage(fmt::format("what is to be sent as {} is empty or has more than one line", name));
    }
    plan->headers.append(name).append(": ").append(value).append("\r\n");
    return {};
  };
  if (arguments.Has("--namespace")) {
    HOLDFAST_RETURN_IF_ERROR(add("Holdfast-Namespace", arguments.Get("--namespace")));
  }
  if (arguments.Has("--token-file")) {
    std::ifstream file(arguments.Get("--token-file"));
    std::string token;
    if (!std::getline(file, token)) return Usage("the file of --token-file cannot be read, or is empty");
    HOLDFAST_RETURN_IF_ERROR(add("Authorization", "Bearer " + token));
  }
  return {};
}

Result<bench::LoadPlan> ReadPlan(const Arguments& arguments, const std::string& url) {
  bench::LoadPlan plan;
  HOLDFAST_RETURN_IF_ERROR(ReadUrl(url, &plan));
  plan.store = http::PercentEncode(arguments.Get("--store", "_default"));
  plan.key_prefix = http::PercentEncode(arguments.Get("--prefix", "bench/"), "/:");
  HOLDFAST_RETURN_IF_ERROR(ReadHeaders(arguments, &plan));
  HOLDFAST_ASSIGN_OR_RETURN(plan.reads, ShareOfReads(arguments));
  HOLDFAST_ASSIGN_OR_RETURN(const double connections,
                            Number(arguments, "--connections", 64, 1, bench::kMaxConnections, true));
  plan.connections = static_cast<int>(connections);
  HOLDFAST_ASSIGN_OR_RETURN(plan.rate, Number(arguments, "--rate", 0, 1, 1e7, false));
  HOLDFAST_ASSIGN_OR_RETURN(const double keys, Number(arguments, "--keys", 10'000, 1, 1e9, true));
  plan.keys = static_cast<std::uint64_t>(keys);
  HOLDFAST_ASSIGN_OR_RETURN(const double bytes, Number(arguments, "--value-size", 100, 0, 1u << 30, true));
  plan.value_bytes = static_cast<std::size_t>(bytes);
  HOLDFAST_ASSIGN_OR_RETURN(plan.duration, Period(arguments, "--duration", "10s", false));
  HOLDFAST_ASSIGN_OR_RETURN(plan.warmup, Period(arguments, "--warmup", "1s", true));
  plan.fill = !arguments.Has("--skip-fill");
  return plan;
}

}  // namespace

std::span<const Option> BenchOptions() {
  return kOptions;
}

int RunBench(const Arguments& arguments, const std::string& url, std::chrono::microseconds timeout) {
  auto plan = ReadPlan(arguments, url);
  if (!plan.ok()) return UsageError("bench", plan.error());
  plan->timeout = timeout;
  const auto result = bench::RunLoad(*plan);
  if (!result.ok()) {
    fmt::print(stderr, "holdfast bench: {}\n", result.error().message());
    return result.error().code() == ErrorCode::kInvalidArgument ? 2 : 3;
  }
  fmt::print("{}",
             arguments.Has("--json") ? bench::ReportJson(*plan, *result) + "\n" : bench::ReportText(*plan, *result));
  return result->errors.empty() && result->unanswered == 0 && result->answered() > 0 ? 0 : 3;
}

}  // namespace holdfast::cli
