#include "operator/kubectl/status_screen.h"

#include <algorithm>

#include "operator/kubectl/text_table.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

std::string Plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string Fraction(const Json& part, const Json& whole) {
  return Plain(part) + "/" + Plain(whole);
}

const Json* Find(const Json& report, const char* type) {
  for (const Json& condition : report.at("conditions")) {
    if (condition.value("type", "") == type) return &condition;
  }
  return nullptr;
}

std::string Conditions(const Json& report, Timestamp now) {
  TextTable table("  ");
  for (const Json& one : report.at("conditions")) {
    table.Row({one.value("type", ""), one.value("status", ""), one.value("reason", ""),
               AgeOf(one.value("lastTransitionTime", ""), now), one.value("message", "")});
  }
  return table.Text();
}

std::string Backends(const Json& report) {
  TextTable table("  ");
  for (const Json& one : report.at("backends")) {
    std::string rest;
    for (const auto& [name, value] : one.items()) {
      if (name == "name" || name == "type" || value.is_structured()) continue;
      rest += (rest.empty() ? "" : "  ") + name + "=" + Plain(value);
    }
    table.Row({one.value("name", ""), one.value("type", ""), rest});
  }
  return table.Text();
}

std::string Pods(const Json& report) {
  TextTable table("  ");
  for (const Json& one : report.at("pods")) {
    table.Row({Plain(one.at("name")), Plain(one.at("role")), Fraction(one.at("ready"), one.at("containers")) + " ready",
               Plain(one.at("state")), Plain(one.at("restarts")) + " restarts", Plain(one.at("node"))});
  }
  return table.Text();
}

std::string Events(const Json& report, Timestamp now) {
  TextTable table("  ");
  for (const Json& one : report.at("events")) {
    const std::string times = one.at("count") == 1 ? "" : " (" + Plain(one.at("count")) + " times)";
    table.Row({AgeOf(Plain(one.at("time")), now), Plain(one.at("type")), Plain(one.at("reason")),
               Plain(one.at("message")) + times});
  }
  return table.Text();
}

void Section(const std::string& title, const std::string& body, std::string* screen) {
  if (!body.empty()) *screen += "\n" + title + "\n" + body;
}

}  // namespace

std::string ScreenOf(const Json& report, Timestamp now) {
  std::string screen = "StorageCluster " + Plain(report.at("namespace")) + "/" + Plain(report.at("name")) + ", " +
                       AgeOf(Plain(report.at("created")), now) + " old, generation " + Plain(report.at("generation"));
  if (report.at("observedGeneration") != report.at("generation")) {
    screen += " (status is about " + Plain(report.at("observedGeneration")) + ")";
  }
  if (report.at("paused") == true) screen += ", paused";
  if (report.at("deleting") == true) screen += ", being deleted";
  screen += "\n";
  if (!Plain(report.at("endpoint")).empty()) {
    screen += "Serves " + Plain(report.at("stores")) + " at " + Plain(report.at("endpoint")) + ", " +
              Fraction(report.at("readyReplicas"), report.at("replicas")) + " pods ready\n";
  }
  Section("Conditions", Conditions(report, now), &screen);
  Section("Backends", Backends(report), &screen);
  Section("Pods", Pods(report), &screen);
  Section("Last events", Events(report, now), &screen);
  std::string advice;
  for (const Json& line : report.at("advice")) advice += "  - " + Plain(line) + "\n";
  Section("What to look at", advice, &screen);
  return screen;
}

std::string TableOf(const std::vector<Json>& reports, bool with_namespace, Timestamp now) {
  TextTable table("");
  const auto row = [&](const std::string& ns, std::vector<std::string> cells) {
    if (with_namespace) cells.insert(cells.begin(), ns);
    table.Row(std::move(cells));
  };
  row("NAMESPACE", {"NAME", "READY", "PODS", "STORES", "AGE", "STATE"});
  for (const Json& report : reports) {
    const Json* ready = Find(report, "Ready");
    const Json* degraded = Find(report, "Degraded");
    std::string state = report.at("paused") == true ? "paused" : report.at("deleting") == true ? "being deleted" : "";
    if (degraded != nullptr && degraded->value("status", "") == "True") {
      state += (state.empty() ? "" : "; ") + degraded->value("reason", "");
    } else if (ready != nullptr && ready->value("status", "") != "True") {
      state += (state.empty() ? "" : "; ") + ready->value("reason", "");
    }
    row(Plain(report.at("namespace")), {Plain(report.at("name")), ready == nullptr ? "?" : ready->value("status", ""),
                                        Fraction(report.at("readyReplicas"), report.at("replicas")),
                                        Plain(report.at("stores")), AgeOf(Plain(report.at("created")), now), state});
  }
  return table.Text();
}

}  // namespace holdfast::kubectl
