#include "service/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log/log.h"
#include "service/settings_resilience.h"

namespace holdfast::service {
namespace {

// In one line of the log.
constexpr std::size_t kMostNames = 20;

std::string Joined(const std::vector<std::string>& names) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames));
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > kMostNames) text += fmt::format(" and {} more", names.size() - kMostNames);
  return text;
}

// "a.b.c" as ("a", "b", "c"), "a.b.c.d" as ("a", "b", "c.d"), and "a.b" as ("a", "", "b").
struct Name {
  explicit Name(std::string_view full) : section(full.substr(0, full.find('.'))) {
    row = full.substr(std::min(section.size() + 1, full.size()));
    const std::size_t dot = row.find('.');
    if (dot == std::string_view::npos) return;
    of = row.substr(0, dot);
    row = row.substr(dot + 1);
  }
  std::string_view section;
  std::string_view of;
  std::string_view row;
};

// Of a backend or of a store.
bool IsOfResilience(const Name& name) {
  static const std::set<std::string, std::less<>> rows = [] {
    std::vector<config::Setting> added;
    AddResilience(&added);
    std::set<std::string, std::less<>> found;
    for (config::Setting& setting : added) found.insert(std::move(setting.name));
    return found;
  }();
  return rows.contains(fmt::format("{}.*.{}", name.section, name.row));
}

// The names of those whose guards have taken over what is asked for now.
template <typename Settings>
std::set<std::string, std::less<>> TakenOver(const std::vector<Settings>& all, const GuardsByName& guards) {
  std::set<std::string, std::less<>> taken;
  for (const Settings& each : all) {
    const auto guard = GuardOf(guards, each.name);
    if (guard != nullptr && guard->SetOptions(each.resilience)) taken.insert(each.name);
  }
  return taken;
}

metrics::Counter& Reloads(metrics::Registry& registry, const char* result) {
  return registry.GetCounter("holdfast_settings_reloads_total", "Settings read again on SIGHUP.", {{"result", result}});
}

}  // namespace

std::optional<LoadedSettings> LoadSettings(const config::Sources& sources, std::vector<config::Problem>* problems) {
  auto given = SettingsTable().Load(sources, problems);
  if (!given) return std::nullopt;
  auto meaning = Interpret(*given, problems);
  if (!meaning) return std::nullopt;
  return LoadedSettings{std::move(*given), std::move(*meaning)};
}

Reload::Reload(config::Sources sources, config::Settings started, Reloadable running, metrics::Registry& registry)
    : sources_(std::move(sources)),
      started_(std::move(started)),
      last_(started_),
      running_(std::move(running)),
      succeeded_(Reloads(registry, "ok")),
      failed_(Reloads(registry, "failed")) {}

void Reload::Now() {
  running_.tenancy->access->Reread();
  std::vector<config::Problem> problems;
  const auto settings = LoadSettings(sources_, &problems);
  if (!settings) {
    failed_.Increment();
    for (const config::Problem& problem : problems) {
      log::Error("the settings are wrong and the former ones hold",
                 {{"where", problem.where}, {"problem", problem.message}});
    }
    return;
  }
  succeeded_.Increment();
  TakeOver(*settings);
}

void Reload::TakeOver(const LoadedSettings& settings) {
  const ServiceSettings& now = settings.meaning;
  log::Configure(now.log);
  running_.handler->SetAccessLog(now.api.access_log);
  if (running_.spans != nullptr) running_.spans->SetSamplePercent(now.tracing.sample_percent);
  for (const StoreSettings& store : now.stores) {
    if (const auto* const found = running_.stores->Find(store.name)) {
      found->ttls->Set(store.default_ttl, store.sliding_ttl);
    }
  }
  const Guarded guarded{TakenOver(now.backends, running_.guards.backends),
                        TakenOver(now.stores, running_.guards.stores)};
  const auto taken = [&](const std::string& name) { return Takes(name, guarded); };

  std::vector<std::string> changed = settings.given.ChangedSince(last_);
  std::erase_if(changed, [&](const std::string& name) { return !taken(name); });
  std::vector<std::string> waiting = settings.given.ChangedSince(started_);
  std::erase_if(waiting, taken);
  last_ = settings.given;
  log::Info("the settings were read again", {{"taken_over", changed.empty() ? "nothing" : Joined(changed)}});
  if (!waiting.empty()) log::Warn("settings that only a restart takes over", {{"settings", Joined(waiting)}});
}

bool Reload::Takes(const std::string& name, const Guarded& guarded) const {
  const Name parts(name);
  if (parts.section == "log") return true;
  if (name == "tracing.sample_percent") return running_.spans != nullptr;
  if (parts.section == "stores" && (parts.row == "default_ttl" || parts.row == "sliding_ttl")) {
    return running_.stores->Find(parts.of) != nullptr;
  }
  if (!IsOfResilience(parts)) return false;
  return (parts.section == "stores" ? guarded.stores : guarded.backends).contains(parts.of);
}

}  // namespace holdfast::service
