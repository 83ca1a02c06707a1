#include "service/idempotency/replay_row.h"

#include <array>
#include <charconv>

namespace holdfast::idempotency {
namespace {

constexpr std::array<std::string_view, 3> kStates = {"begun", "done", "dropped"};
constexpr std::string_view kVersion = "1";

// The part up to the next `end`, which is taken off `rest` too; nullopt when there is none.
std::optional<std::string_view> Take(std::string_view* rest, char end) {
  const std::size_t at = rest->find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = rest->substr(0, at);
  rest->remove_prefix(at + 1);
  return part;
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool DecodeAnswer(std::string_view rest, Answer* answer) {
  const auto content_type = Take(&rest, '\n');
  if (!content_type) return false;
  answer->content_type = *content_type;
  while (true) {
    auto line = Take(&rest, '\n');
    if (!line) return false;
    if (line->empty()) break;
    const auto name = Take(&*line, ':');
    if (!name) return false;
    answer->headers.emplace_back(*name, *line);
  }
  answer->body = rest;
  return true;
}

}  // namespace

std::string ReplayRow::Encode() const {
  const std::int64_t number = state == State::kBegun ? until.time_since_epoch().count() : answer.status;
  std::string row(kVersion);
  row.append("\n").append(kStates[static_cast<std::size_t>(state)]);
  row.append("\n").append(fingerprint);
  row.append("\n").append(std::to_string(number)).append("\n");
  if (state != State::kDone) return row;
  row.append(answer.content_type).append("\n");
  for (const auto& [name, value] : answer.headers) row.append(name).append(":").append(value).append("\n");
  row.append("\n").append(answer.body);
  return row;
}

std::optional<ReplayRow> ReplayRow::Decode(std::string_view bytes) {
  const auto version = Take(&bytes, '\n');
  const auto state = Take(&bytes, '\n');
  const auto fingerprint = Take(&bytes, '\n');
  const auto number_text = Take(&bytes, '\n');
  if (!version || *version != kVersion || !state || !fingerprint || !number_text) return std::nullopt;
  const auto number = Number(*number_text);
  if (!number) return std::nullopt;
  ReplayRow row;
  row.fingerprint = *fingerprint;
  if (*state == kStates[0]) {
    row.until = Timestamp(std::chrono::microseconds(*number));
    return row;
  }
  row.answer.status = static_cast<int>(*number);
  row.state = *state == kStates[1] ? State::kDone : State::kDropped;
  if (row.state == State::kDropped && *state != kStates[2]) return std::nullopt;
  if (row.state == State::kDone && !DecodeAnswer(bytes, &row.answer)) return std::nullopt;
  return row;
}

}  // namespace holdfast::idempotency
