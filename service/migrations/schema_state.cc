#include "service/migrations/schema_state.h"

#include <fmt/format.h>

namespace holdfast::migrations {
namespace {

constexpr std::size_t kShown = 12;  // hexadecimal digits of a checksum in a message

void CompareFile(const Script& script, const std::string& applied, std::vector<std::string>* problems) {
  if (script.checksum == applied) return;
  problems->push_back(fmt::format(
      "{} was changed after it was applied (applied: {}, now: {}); put it back as it was, and add a new step instead",
      script.file, applied.substr(0, kShown), script.checksum.substr(0, kShown)));
}

void CompareRecord(const Migration& known, const Record& record, std::vector<std::string>* problems) {
  if (known.name != record.name) {
    problems->push_back(
        fmt::format("step {} was applied as \"{}\" and is called \"{}\" here; use the files it was applied from",
                    record.number, record.name, known.name));
    return;
  }
  CompareFile(known.up, record.up_checksum, problems);
  CompareFile(known.down, record.down_checksum, problems);
}

}  // namespace

std::string_view StateName(Record::State state) {
  return state == Record::State::kApplied ? "applied" : state == Record::State::kApplying ? "applying" : "reverting";
}

SchemaState Compare(const MigrationSet& known, std::vector<Record> records) {
  SchemaState state;
  state.latest = known.latest();
  state.records = std::move(records);
  int expected = 1;
  for (const Record& record : state.records) {
    if (record.number != expected) {
      state.problems.push_back(fmt::format(
          "step {} is applied and step {} in front of it is not; schema_migrations was altered by hand: restore it",
          record.number, expected));
    }
    expected = record.number + 1;
    if (record.number <= known.latest()) CompareRecord(known.at(record.number), record, &state.problems);
    if (record.state == Record::State::kApplied) {
      state.version = record.number;
    } else if (record.number == state.records.back().number) {
      state.unfinished = record;
    } else {
      state.problems.push_back(
          fmt::format("step {} is {} and a later one is applied; schema_migrations was altered by hand", record.number,
                      StateName(record.state)));
    }
  }
  const int newest = state.records.empty() ? 0 : state.records.back().number;
  if (newest > known.latest()) {
    state.problems.push_back(fmt::format(
        "the schema is newer than this binary: step {} ({}, applied by {}) is there, and {} is the last one "
        "known here; use that release, or let it migrate down first",
        newest, state.records.back().name, state.records.back().applied_by, known.latest()));
  }
  return state;
}

Status CheckServable(const SchemaState& state) {
  if (!state.problems.empty()) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("the schema is not served: {}", fmt::join(state.problems, "; ")));
  }
  if (state.unfinished) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("the schema is not served: step {} ({}) was interrupted; run: holdfast migrate up",
                             state.unfinished->number, state.unfinished->name));
  }
  if (state.version < state.latest) {
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("the schema is not served: it is at step {} and this binary needs {}; run: holdfast migrate up",
                    state.version, state.latest));
  }
  return {};
}

}  // namespace holdfast::migrations
