#include "operator/sentinel/server_report.h"

#include <charconv>
#include <map>
#include <string_view>

namespace holdfast::sentinel {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

// "name:value" by lines; what begins with # is a heading.
Fields FieldsOf(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) fields.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return fields;
}

std::string TextOf(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

std::optional<std::int64_t> NumberOf(const Fields& fields, std::string_view name) {
  const std::string text = TextOf(fields, name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "slave0:ip=HOST,port=6379,state=online,..." and on.
std::vector<std::string> FollowersOf(const Fields& fields) {
  constexpr std::string_view kHost = "ip=";
  std::vector<std::string> hosts;
  for (std::size_t i = 0;; ++i) {
    const std::string line = TextOf(fields, "slave" + std::to_string(i));
    if (!line.starts_with(kHost)) return hosts;
    hosts.push_back(line.substr(kHost.size(), line.find(',') - kHost.size()));
  }
}

}  // namespace

Result<ServerReport> ParseServerReport(const redis::Value& info) {
  if (!info.IsString()) return Error(ErrorCode::kCorruption, "a server tells nothing of its replication");
  const Fields fields = FieldsOf(info.text());
  const std::string role = TextOf(fields, "role");
  ServerReport report{.master = role == "master"};
  const auto offset = NumberOf(fields, report.master ? "master_repl_offset" : "slave_repl_offset");
  if ((!report.master && role != "slave") || !offset) {
    return Error(ErrorCode::kCorruption, "a server does not tell its role and offset");
  }
  // A replica that never had any says -1.
  report.offset = *offset < 0 ? 0 : static_cast<std::uint64_t>(*offset);
  if (report.master) {
    report.followers = FollowersOf(fields);
    return report;
  }
  report.priority = NumberOf(fields, "slave_priority").value_or(kUsualPriority);
  report.follows = TextOf(fields, "master_host");
  report.linked = TextOf(fields, "master_link_status") == "up";
  report.syncing = NumberOf(fields, "master_sync_in_progress").value_or(1) != 0;
  const auto unlinked = NumberOf(fields, "master_link_down_since_seconds");
  if (!report.linked && unlinked && *unlinked >= 0) report.unlinked = std::chrono::seconds{*unlinked};
  return report;
}

bool IsInStep(const ServerReport& replica, const std::string& master_host, const ServerReport& master,
              std::uint64_t close) {
  return master.master && !replica.master && replica.linked && !replica.syncing && replica.follows == master_host &&
         replica.offset + close >= master.offset;
}

bool FollowedToTheEnd(const ServerReport& replica, const std::string& master_host, std::chrono::seconds max_lag) {
  if (replica.master || replica.syncing || replica.follows != master_host) return false;
  return replica.linked || (replica.unlinked && *replica.unlinked <= max_lag);
}

}  // namespace holdfast::sentinel
