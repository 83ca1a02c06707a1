#include "operator/backup/view.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/backup_health.h"
#include "operator/kube/status_update.h"

namespace holdfast::backup {
namespace {

using kube::Json;

constexpr int kWriteAttempts = 5;
constexpr char kList[] = "backups";

constexpr std::array kTexts = {std::pair("backend", &View::backend),
                               std::pair("reason", &View::reason),
                               std::pair("message", &View::message),
                               std::pair("lastFull", &View::last_full),
                               std::pair("lastDifferential", &View::last_differential),
                               std::pair("restorableFrom", &View::restorable_from),
                               std::pair("running", &View::running),
                               std::pair("lastArchived", &View::last_archived)};
constexpr std::array kNumbers = {std::pair("backups", &View::backups), std::pair("failures", &View::failures),
                                 std::pair("archiveFailures", &View::archive_failures),
                                 std::pair("archiveWaiting", &View::archive_waiting), std::pair("bytes", &View::bytes)};

Json ToJson(const View& view) {
  Json json = {{"healthy", view.healthy}};
  for (const auto& [name, field] : kTexts) {
    if (const std::string& text = view.*field; !text.empty()) json[name] = text;
  }
  for (const auto& [name, field] : kNumbers) json[name] = view.*field;
  return json;
}

Json WithView(const Json& cluster_object, const std::string& backend, const View* view, Timestamp now) {
  Json status = cluster_object.value("status", Json::object());
  Json list = status.value(kList, Json::array());
  const auto mine = std::find_if(list.begin(), list.end(),
                                 [&](const Json& each) { return kube::StringAt(each, "/backend") == backend; });
  if (mine != list.end()) list.erase(mine);
  if (view != nullptr) list.push_back(ToJson(*view));
  // Always in the same order, whoever was written last.
  std::sort(list.begin(), list.end(),
            [](const Json& a, const Json& b) { return kube::StringAt(a, "/backend") < kube::StringAt(b, "/backend"); });
  if (list.empty()) {
    status.erase(kList);
  } else {
    status[kList] = std::move(list);
  }
  api::SetBackupHealthy(kube::GenerationOf(cluster_object), now, &status);
  return status;
}

Result<Json> Write(kube::Client& client, Json cluster_object, const std::string& backend, const View* view,
                   const Clock& clock, Deadline deadline) {
  const auto status_of = [&](const Json& present) { return WithView(present, backend, view, clock.Now()); };
  return kube::UpdateStatus(client, kube::kinds::kStorageCluster, std::move(cluster_object),
                            {"status.backups", kWriteAttempts, status_of}, deadline);
}

void DescribeBackups(const Report& report, View* view) {
  view->backups = static_cast<std::int64_t>(report.backups.size());
  view->last_archived = report.newest_segment;
  view->bytes = 0;
  std::optional<Timestamp> full;
  std::optional<Timestamp> differential;
  std::optional<Timestamp> oldest;
  for (const Backup& each : report.backups) {
    view->bytes += each.bytes;
    std::optional<Timestamp>& last = each.type == "full" ? full : differential;
    last = std::max(last.value_or(each.stop), each.stop);
    if (each.type == "full") oldest = std::min(oldest.value_or(each.stop), each.stop);
  }
  view->last_full = full ? FormatTimestamp(*full) : "";
  view->last_differential = differential ? FormatTimestamp(*differential) : "";
  view->restorable_from = oldest ? FormatTimestamp(*oldest) : "";
  view->failures = report.backup ? report.backup->failures : 0;
}

}  // namespace

bool View::SameStory(const View& other) const {
  View same = other;
  same.last_archived = last_archived;
  same.archive_failures = archive_failures;
  same.archive_waiting = archive_waiting;
  return *this == same;
}

View Describe(const std::string& backend, const Health& health, const Facts& facts, const std::optional<View>& before) {
  View view = before.value_or(View{});
  view.backend = backend;
  view.healthy = health.healthy;
  view.reason = health.reason;
  view.message = health.message;
  view.running.clear();
  if (facts.archiver) {
    view.archive_failures = facts.archiver->failures;
    view.archive_waiting = facts.archiver->waiting;
  }
  if (!facts.report || !facts.report->error.empty()) return view;
  DescribeBackups(*facts.report, &view);
  const std::optional<Attempt>& attempt = facts.report->backup;
  if (facts.report->running && attempt && !attempt->ended) {
    view.running = attempt->type + " backup since " + FormatTimestamp(attempt->started);
  }
  return view;
}

std::optional<View> ViewOf(const Json& cluster_object, std::string_view backend) {
  static const Json::json_pointer pointer("/status/backups");
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return std::nullopt;
  for (const Json& each : cluster_object.at(pointer)) {
    if (kube::StringAt(each, "/backend") != backend) continue;
    View view{.healthy = each.value("healthy", Json()) == true};
    for (const auto& [name, field] : kTexts) view.*field = kube::StringAt(each, std::string("/") + name);
    for (const auto& [name, field] : kNumbers) {
      const Json number = each.value(name, Json());
      if (number.is_number_integer()) view.*field = number.get<std::int64_t>();
    }
    return view;
  }
  return std::nullopt;
}

Result<Json> WriteView(kube::Client& client, Json cluster_object, const View& view, const Clock& clock,
                       Deadline deadline) {
  return Write(client, std::move(cluster_object), view.backend, &view, clock, deadline);
}

Result<Json> EraseView(kube::Client& client, Json cluster_object, const std::string& backend, const Clock& clock,
                       Deadline deadline) {
  return Write(client, std::move(cluster_object), backend, nullptr, clock, deadline);
}

}  // namespace holdfast::backup
