#include "service/migrations/report.h"

#include <fmt/format.h>

#include "service/json/json_writer.h"

namespace holdfast::migrations {
namespace {

std::string StepName(int number, const std::string& name) {
  return fmt::format("{:04} {}", number, name);
}

std::string_view Summary(const SchemaState& state) {
  if (!state.problems.empty()) return "not usable with this binary";
  if (state.unfinished) return "interrupted";
  return state.current() ? "current" : "behind";
}

}  // namespace

std::string StateAsText(const MigrationSet& known, const SchemaState& state, const std::string& schema) {
  std::string text = fmt::format("schema {}: step {} of {}, {}\n", schema, state.version, state.latest, Summary(state));
  for (const Record& record : state.records) {
    text += fmt::format("  {:<32} {:<9} {} by {}\n", StepName(record.number, record.name), StateName(record.state),
                        record.applied_at, record.applied_by);
  }
  for (int number = static_cast<int>(state.records.size()) + 1; number <= known.latest(); ++number) {
    text += fmt::format("  {:<32} pending\n", StepName(number, known.at(number).name));
  }
  for (const std::string& problem : state.problems) text += fmt::format("problem: {}\n", problem);
  return text;
}

std::string StateAsJson(const MigrationSet& known, const SchemaState& state, const std::string& schema) {
  json::JsonWriter out;
  out.BeginObject()
      .Key("schema")
      .String(schema)
      .Key("version")
      .Integer(state.version)
      .Key("latest")
      .Integer(state.latest);
  out.Key("current").Bool(state.current()).Key("steps").BeginArray();
  for (const Record& record : state.records) {
    out.BeginObject().Key("number").Integer(record.number).Key("name").String(record.name);
    out.Key("state").String(StateName(record.state)).Key("applied_at").String(record.applied_at);
    out.Key("applied_by").String(record.applied_by).EndObject();
  }
  for (int number = static_cast<int>(state.records.size()) + 1; number <= known.latest(); ++number) {
    out.BeginObject().Key("number").Integer(number).Key("name").String(known.at(number).name);
    out.Key("state").String("pending").EndObject();
  }
  out.EndArray().Key("problems").BeginArray();
  for (const std::string& problem : state.problems) out.String(problem);
  out.EndArray().EndObject();
  return out.Take() + "\n";
}

std::string PlanAsText(const std::vector<Step>& steps, bool with_sql) {
  if (steps.empty()) return with_sql ? "" : "nothing to do\n";
  std::string text;
  for (const Step& step : steps) {
    const Script& script = step.script();
    const std::string marks =
        fmt::format("{}{}{}", script.transactional ? "" : ", without a transaction",
                    script.destroys_data ? ", destroys data" : "", step.resumes ? ", resumed" : "");
    text += fmt::format("{}{}: {} statements{}\n", with_sql ? "-- " : "", script.file, script.statements.size(), marks);
    if (!with_sql) continue;
    if (script.transactional) text += "BEGIN;\n";
    for (const Statement& statement : script.statements) text += statement.text + ";\n";
    if (script.transactional) text += "COMMIT;\n";
  }
  return text;
}

std::string PlanAsJson(const std::vector<Step>& steps) {
  json::JsonWriter out;
  out.BeginObject().Key("steps").BeginArray();
  for (const Step& step : steps) {
    const Script& script = step.script();
    out.BeginObject().Key("number").Integer(step.migration->number).Key("name").String(step.migration->name);
    out.Key("direction").String(DirectionName(step.direction)).Key("file").String(script.file);
    out.Key("statements").Integer(static_cast<std::int64_t>(script.statements.size()));
    out.Key("transactional").Bool(script.transactional).Key("destroys_data").Bool(script.destroys_data);
    out.Key("resumes").Bool(step.resumes).EndObject();
  }
  out.EndArray().EndObject();
  return out.Take() + "\n";
}

}  // namespace holdfast::migrations
