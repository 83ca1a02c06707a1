#include "service/bench/report.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::bench {
namespace {

constexpr std::pair<const char*, double> kShares[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

double Milliseconds(std::chrono::nanoseconds latency) {
  return std::chrono::duration<double, std::milli>(latency).count();
}

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

double PerSecond(std::uint64_t count, const LoadResult& result) {
  return result.elapsed.count() == 0 ? 0 : static_cast<double>(count) / Seconds(result.elapsed);
}

std::string Line(std::string_view what, const LatencyHistogram& latencies, const LoadResult& result) {
  std::string line = fmt::format("{:<6}{:>12}{:>12.0f}", what, latencies.count(), PerSecond(latencies.count(), result));
  for (const auto& [name, share] : kShares) line += fmt::format("{:>10.3f}", Milliseconds(latencies.Percentile(share)));
  return line + fmt::format("{:>10.3f}\n", Milliseconds(latencies.max()));
}

std::string LatencyJson(const LatencyHistogram& latencies, const LoadResult& result) {
  std::string json =
      fmt::format(R"({{"requests":{},"requests_per_second":{:.1f},"latency_ms":{{"mean":{:.4f})", latencies.count(),
                  PerSecond(latencies.count(), result), Milliseconds(latencies.mean()));
  for (const auto& [name, share] : kShares) {
    json += fmt::format(R"(,"{}":{:.4f})", name, Milliseconds(latencies.Percentile(share)));
  }
  return json + fmt::format(R"(,"max":{:.4f}}}}})", Milliseconds(latencies.max()));
}

}  // namespace

std::string ReportText(const LoadPlan& plan, const LoadResult& result) {
  const std::string loop = plan.rate > 0 ? fmt::format("open loop at {:.0f} requests/s", plan.rate) : "closed loop";
  std::string text =
      fmt::format("{:.0f} % get, {} keys, values of {} bytes, {} connections, {}, {:.1f} s\n\n", plan.reads * 100,
                  plan.keys, plan.value_bytes, plan.connections, loop, Seconds(result.elapsed));
  text += fmt::format("{:<6}{:>12}{:>12}", "", "requests", "per second");
  for (const auto& [name, share] : kShares) text += fmt::format("{:>10}", name);
  text += fmt::format("{:>10}  (ms)\n", "max");
  LatencyHistogram all = result.gets;
  all.Add(result.puts);
  if (result.gets.count() > 0) text += Line("get", result.gets, result);
  if (result.puts.count() > 0) text += Line("put", result.puts, result);
  if (result.gets.count() > 0 && result.puts.count() > 0) text += Line("all", all, result);
  for (const auto& [what, count] : result.errors) text += fmt::format("failed with {}: {}\n", what, count);
  if (result.unanswered > 0) {
    text += fmt::format("not answered in time: {}; the service does not keep up with this rate\n", result.unanswered);
  }
  return text;
}

std::string ReportJson(const LoadPlan& plan, const LoadResult& result) {
  LatencyHistogram all = result.gets;
  all.Add(result.puts);
  std::string errors;
  for (const auto& [what, count] : result.errors) {
    errors += fmt::format(R"({}"{}":{})", errors.empty() ? "" : ",", what, count);
  }
  return fmt::format(
      R"({{"reads":{},"keys":{},"value_bytes":{},"connections":{},"rate":{},"seconds":{:.3f},"all":{},"get":{},"put":{},)"
      R"("errors":{{{}}},"unanswered":{}}})",
      plan.reads, plan.keys, plan.value_bytes, plan.connections, plan.rate, Seconds(result.elapsed),
      LatencyJson(all, result), LatencyJson(result.gets, result), LatencyJson(result.puts, result), errors,
      result.unanswered);
}

}  // namespace holdfast::bench
