#include "service/cli/bench_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "service/cli/load_generator.h"
#include "service/cli/outcome.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kMostConnections = 1000;  // most shells allow 1024 open files
constexpr std::size_t kMostKeys = 100'000'000;
constexpr std::size_t kLargestValue = 64u << 20;
constexpr double kMostRate = 10e6;
constexpr std::chrono::hours kLongest{24 * 7};
constexpr std::array kPercentiles = {50.0, 90.0, 99.0, 99.9};

constexpr Option kOptions[] = {
    {"--operation", "OPERATION", "get, put or mixed (half of each); default: mixed"},
    {"--connections", "N", "1 to 1000, each with one request at a time; default: 16"},
    {"--rate", "R", "open loop: R requests per second; default: closed loop"},
    {"--duration", "DURATION", "how long requests are sent; default: 10s"},
    {"--value-size", "BYTES", "of each value, 0 to 67108864; default: 100"},
    {"--keys", "N", "how many keys are used, at random; default: 10000"},
    {"--prefix", "PREFIX", "of those keys; default: holdfast-bench/ and a random number"},
    {"--keep", "", "do not delete the keys at the end"},
    kTokenFileOption,
    {"--json", "", "print one JSON object; latencies in microseconds"},
    {"--url", "URL", "the service; default: $HOLDFAST_URL or http://127.0.0.1:8080"},
    {"--store", "NAME", "default: _default"},
    {"--timeout", "DURATION", "how long to wait for an answer; default: 10s"},
    {"--help", "", "this text"},
};

// Set by Ctrl-C: what has been measured is printed, and the keys are deleted.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

extern "C" void Interrupt(int /*signal*/) {
  interrupted = true;
}

struct Bench {
  std::string url;
  std::string operation;
  std::string store;
  std::string prefix;
  std::string token;
  bool keep = false;
  bool as_json = false;
  LoadPlan plan;

  std::string StorePath() const { return "/v1/stores/" + http::PercentEncode(store); }
};

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

template <typename Number>
Result<Number> ReadNumber(const Arguments& arguments, std::string_view name, Number fallback, Number least,
                          Number most) {
  if (!arguments.Has(name)) return fallback;
  const std::string text = arguments.Get(name);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // Not `number < least`: not a number is neither less nor more.
  if (error != std::errc() || end != text.data() + text.size() || !(number >= least && number <= most)) {
    return Usage(fmt::format("{} is not a number from {} to {}", name, least, most));
  }
  return number;
}

Result<std::chrono::microseconds> ReadDuration(const Arguments& arguments, std::string_view name) {
  const auto duration = ParseDuration(arguments.Get(name, "10s"));
  if (!duration.ok() || *duration <= std::chrono::microseconds::zero() || *duration > kLongest) {
    return Usage(fmt::format("{} is not a duration above zero and up to 7d, like 10s", name));
  }
  return *duration;
}

// "http://host:port", "http://host", "http://[::1]:8080"
Status ReadUrl(const std::string& url, LoadPlan* plan) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return Usage("bench speaks plain HTTP: --url must begin with http://; measure a port without TLS");
  }
  std::string authority = url.substr(kScheme.size());
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  plan->port = "80";
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    plan->port = authority.substr(colon + 1);
    authority.resize(colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  plan->host = authority;
  const bool digits = !plan->port.empty() && plan->port.find_first_not_of("0123456789") == std::string::npos;
  if (plan->host.empty() || !digits || authority.find_first_of("/@?# ") != std::string::npos) {
    return Usage("--url must be http://HOST:PORT");
  }
  return {};
}

Result<Bench> ReadArguments(const Arguments& arguments) {
  Bench bench;
  bench.url = ServiceUrl(arguments, "HOLDFAST_URL", "http://127.0.0.1:8080");
  HOLDFAST_RETURN_IF_ERROR(ReadUrl(bench.url, &bench.plan));
  bench.operation = arguments.Get("--operation", "mixed");
  if (bench.operation != "get" && bench.operation != "put" && bench.operation != "mixed") {
    return Usage("--operation is none of get, put, mixed");
  }
  bench.plan.puts = bench.operation == "put" ? 1.0 : bench.operation == "get" ? 0.0 : 0.5;
  HOLDFAST_ASSIGN_OR_RETURN(bench.plan.connections,
                            ReadNumber<std::size_t>(arguments, "--connections", 16, 1, kMostConnections));
  HOLDFAST_ASSIGN_OR_RETURN(bench.plan.keys, ReadNumber<std::size_t>(arguments, "--keys", 10'000, 1, kMostKeys));
  HOLDFAST_ASSIGN_OR_RETURN(bench.plan.value_size,
                            ReadNumber<std::size_t>(arguments, "--value-size", 100, 0, kLargestValue));
  if (arguments.Has("--rate")) {
    HOLDFAST_ASSIGN_OR_RETURN(bench.plan.rate, ReadNumber<double>(arguments, "--rate", 1, 0.001, kMostRate));
  }
  HOLDFAST_ASSIGN_OR_RETURN(bench.plan.duration, ReadDuration(arguments, "--duration"));
  HOLDFAST_ASSIGN_OR_RETURN(bench.plan.timeout, ReadDuration(arguments, "--timeout"));
  HOLDFAST_ASSIGN_OR_RETURN(bench.token, ReadTokenFile(arguments));
  if (!bench.token.empty()) bench.plan.authorization = "Bearer " + bench.token;
  bench.store = arguments.Get("--store", "_default");
  bench.prefix = arguments.Get("--prefix", fmt::format("holdfast-bench/{:08x}/", std::random_device()()));
  if (bench.prefix.empty()) return Usage("--prefix is empty: all keys of the store would be deleted at the end");
  bench.plan.keys_path = bench.StorePath() + "/keys/" + http::PercentEncode(bench.prefix, "/:");
  bench.keep = arguments.Has("--keep");
  bench.as_json = arguments.Has("--json");
  return bench;
}

Result<http::ClientResponse> Ask(const Bench& bench, const char* method, const std::string& path) {
  http::ClientOptions options;
  options.base_url = bench.url;
  if (!bench.token.empty()) options.bearer_token = [token = bench.token] { return token; };
  http::HttpClient client(std::move(options));
  http::ClientRequest request;
  request.method = method;
  request.target = fmt::format("{}{}?prefix={}", bench.StorePath(), path, http::PercentEncode(bench.prefix));
  const auto timeout = std::chrono::duration_cast<std::chrono::microseconds>(bench.plan.timeout);
  request.headers.emplace("Holdfast-Timeout", FormatDuration(timeout));
  constexpr std::chrono::seconds kGrace{2};  // the service's own answer says what happened
  return client.Send(request, Deadline::After(timeout + kGrace));
}

// Keys under the prefix that are not from this run would be deleted at its end.
int CheckPrefix(const Bench& bench) {
  const auto response = Ask(bench, "GET", "/count");
  if (!response.ok()) return NotAnswered("bench", response.error());
  if (response->status != 200) return Refused("bench", *response);
  const json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_object() || !answer.contains("count") || !answer["count"].is_number_unsigned()) {
    return Complain("bench", "the answer is no count of keys; is this a Holdfast service?");
  }
  const auto count = answer["count"].get<std::uint64_t>();
  if (count == 0 || bench.keep) return kOk;
  Complain("bench",
           fmt::format("{} keys begin with {} already and would be deleted at the end; choose another --prefix, "
                       "or use them as they are with --keep",
                       count, bench.prefix));
  return kNo;
}

int DeleteKeys(const Bench& bench) {
  constexpr int kAttempts = 10;  // each deletes some; so many are not done within one timeout
  for (int attempt = 1;; ++attempt) {
    const auto response = Ask(bench, "DELETE", "/keys");
    if (response.ok() && response->status == 200) return kOk;
    const bool again = response.ok() ? response->status >= 500 : response.error().code() == ErrorCode::kOutcomeUnknown;
    if (again && attempt < kAttempts) continue;
    const int exit_code = response.ok() ? Refused("bench", *response) : NotAnswered("bench", response.error());
    Complain("bench", fmt::format("keys that begin with {} are left in store {}", bench.prefix, bench.store));
    return exit_code;
  }
}

std::string FailureText(const LoadResult& result) {
  std::string text;
  for (const auto& [status, count] : result.refused) text += fmt::format("{} answered with {}; ", count, status);
  if (result.unanswered > 0) text += fmt::format("{} without an answer; ", result.unanswered);
  if (!result.first_failure.empty()) text += result.first_failure + "; ";
  if (text.size() > 2) text.resize(text.size() - 2);
  return text;
}

int WriteFirst(const Bench& bench) {
  const auto written = WriteEveryKey(bench.plan, interrupted);
  if (!written.ok()) return Complain("bench", written.error().message());
  if (written->failed > 0) {
    return Complain("bench", fmt::format("not every key could be written before measuring: {}", FailureText(*written)));
  }
  return kOk;
}

double Microseconds(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / 1e3;
}

double PerSecond(const LoadResult& result) {
  const std::uint64_t answered = result.gets.count() + result.puts.count() - result.unanswered;
  return static_cast<double>(answered) / (static_cast<double>(result.elapsed.count()) / 1e9);
}

json LatencyJson(const LatencyHistogram& histogram) {
  json latency = json::object();
  for (const double percent : kPercentiles)
    latency[fmt::format("p{}", percent)] = Microseconds(histogram.Percentile(percent));
  latency["max"] = Microseconds(histogram.max());
  return latency;
}

void PrintJson(const Bench& bench, const LoadResult& result, const LatencyHistogram& all) {
  json report = {{"operation", bench.operation},
                 {"loop", bench.plan.rate ? "open" : "closed"},
                 {"store", bench.store},
                 {"connections", bench.plan.connections},
                 {"keys", bench.plan.keys},
                 {"value_size", bench.plan.value_size},
                 {"seconds", static_cast<double>(result.elapsed.count()) / 1e9},
                 {"answered", all.count() - result.unanswered},
                 {"requests_per_second", PerSecond(result)},
                 {"failed", result.failed},
                 {"unanswered", result.unanswered},
                 {"refused", json::object()},
                 {"latency_us", LatencyJson(all)}};
  if (bench.plan.rate) report["rate"] = *bench.plan.rate;
  for (const auto& [status, count] : result.refused) report["refused"][std::to_string(status)] = count;
  if (bench.operation == "mixed") {
    report["get"] = {{"latency_us", LatencyJson(result.gets)}};
    report["put"] = {{"latency_us", LatencyJson(result.puts)}};
  }
  fmt::print("{}\n", report.dump());
}

void PrintLatencies(std::string_view label, const LatencyHistogram& histogram) {
  fmt::print("{:<8}", label);
  for (const double percent : kPercentiles) fmt::print("{:>12.3f}", Microseconds(histogram.Percentile(percent)) / 1e3);
  fmt::print("{:>12.3f}\n", Microseconds(histogram.max()) / 1e3);
}

void PrintTable(const Bench& bench, const LoadResult& result, const LatencyHistogram& all) {
  const std::string loop =
      bench.plan.rate ? fmt::format("open loop, {:g} requests/s", *bench.plan.rate) : std::string("closed loop");
  fmt::print("{}, {} bytes, {} keys, store {}, {} connections, {}\n", bench.operation, bench.plan.value_size,
             bench.plan.keys, bench.store, bench.plan.connections, loop);
  fmt::print("{} answered in {:.2f} s: {:.1f} requests/s; {} failed\n\n", all.count() - result.unanswered,
             static_cast<double>(result.elapsed.count()) / 1e9, PerSecond(result), result.failed);
  fmt::print("{:<8}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "ms", "p50", "p90", "p99", "p99.9", "max");
  if (bench.operation == "mixed") {
    PrintLatencies("get", result.gets);
    PrintLatencies("put", result.puts);
  }
  PrintLatencies(bench.operation == "mixed" ? "both" : bench.operation, all);
}

int Measure(const Bench& bench) {
  if (bench.plan.puts < 1) {
    if (const int exit_code = WriteFirst(bench); exit_code != kOk || interrupted) return exit_code;
  }
  const auto result = RunLoad(bench.plan, interrupted);
  if (!result.ok()) return Complain("bench", result.error().message());
  LatencyHistogram all = result->gets;
  all.Merge(result->puts);
  bench.as_json ? PrintJson(bench, *result, all) : PrintTable(bench, *result, all);
  std::fflush(stdout);
  if (result->failed == 0) return kOk;
  return Complain("bench", fmt::format("{} requests failed: {}", result->failed, FailureText(*result)));
}

}  // namespace

const Command kBenchCommand{
    "bench",
    "",
    "Measures throughput and latency of a running service.",
    "Writes keys of its own, asks for them at random, prints percentiles and deletes the keys;\n"
    "Ctrl-C ends it early. Closed loop: each connection asks again once it was answered, which\n"
    "says what the service can do. With --rate requests are due at fixed times and their latency\n"
    "counts from then, also while they wait for a free connection, which says what callers see\n"
    "at that load. A request without an answer within --timeout counts with the time it waited.\n"
    "Exit code 3 when any request failed; the figures are printed all the same.",
    0,
    0,
    kOptions};

int RunBench(const std::vector<std::string>& words) {
  const auto arguments = Parse(kBenchCommand, {}, words);
  if (!arguments.ok()) return UsageError("bench", arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", HelpOf(kBenchCommand, {}));
    return kOk;
  }
  const auto bench = ReadArguments(*arguments);
  if (!bench.ok()) return UsageError("bench", bench.error());
  if (const int exit_code = CheckPrefix(*bench); exit_code != kOk) return exit_code;
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, Interrupt);
  const int measured = Measure(*bench);
  const int deleted = bench->keep ? kOk : DeleteKeys(*bench);
  return measured != kOk ? measured : deleted;
}

}  // namespace holdfast::cli
