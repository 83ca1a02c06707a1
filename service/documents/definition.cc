#include "service/documents/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace holdfast::documents {
namespace {

constexpr std::string_view kFormat = "collection 1";

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Error Damaged() {
  return {ErrorCode::kCorruption, "the definition of the collection cannot be read; restore it from a backup"};
}

std::size_t Depth(std::string_view path) {
  return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '.'));
}

bool IsValidPath(std::string_view path) {
  bool member = false;  // the one at hand has at least one character
  for (const char c : path) {
    if (c == '.' && !member) return false;
    if (c != '.' && c != '_' && c != '-' && !IsAlphanumeric(c)) return false;
    member = c != '.';
  }
  return member;
}

std::string_view NextWord(std::string_view* line) {
  const std::size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string_view IndexStateName(IndexState state) {
  switch (state) {
    case IndexState::kBuilding:
      return "building";
    case IndexState::kReady:
      return "ready";
    case IndexState::kDropping:
      return "dropping";
  }
  return "unknown";
}

const Index* Definition::Find(std::string_view path) const {
  const auto found = std::find_if(indexes.begin(), indexes.end(), [&](const Index& index) {
    return index.state != IndexState::kDropping && index.path == path;
  });
  return found != indexes.end() ? &*found : nullptr;
}

bool Definition::Unfinished() const {
  return std::any_of(indexes.begin(), indexes.end(),
                     [](const Index& index) { return index.state != IndexState::kReady; });
}

Status CheckCollectionName(std::string_view name) {
  const bool valid = !name.empty() && name.size() <= kMaxCollectionNameBytes && IsAlphanumeric(name.front()) &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-'; });
  if (valid) return {};
  return Invalid(
      fmt::format("the collection's name is not 1 to {} letters, digits, '.', '_' and '-', beginning with a letter or "
                  "digit",
                  kMaxCollectionNameBytes));
}

Status CheckIndexPaths(const std::vector<std::string>& paths, const CollectionLimits& limits) {
  if (paths.size() > limits.max_indexes) {
    return Invalid(fmt::format("indexes: {} are asked for; the limit is {} (setting limits.collection_indexes)",
                               paths.size(), limits.max_indexes));
  }
  std::set<std::string_view> seen;
  for (const std::string& path : paths) {
    if (path.size() > kMaxPathBytes || !IsValidPath(path)) {
      return Invalid(
          fmt::format("indexes: a path is not members of letters, digits, '_' and '-' joined by '.' and at most {} "
                      "bytes long; write one like severity or cause.code",
                      kMaxPathBytes));
    }
    if (Depth(path) > limits.max_path_depth) {
      return Invalid(fmt::format("indexes: \"{}\" has {} members; the limit is {} (setting limits.index_depth)", path,
                                 Depth(path), limits.max_path_depth));
    }
    if (!seen.insert(path).second) return Invalid(fmt::format("indexes: \"{}\" stands twice; give it once", path));
  }
  return {};
}

Definition WithIndexes(const Definition& before, const std::vector<std::string>& paths, bool empty,
                       const CollectionLimits& limits) {
  Definition after;
  after.number = before.number;
  after.next_index = before.next_index;
  for (const std::string& path : paths) {
    if (const Index* known = before.Find(path)) {
      after.indexes.push_back(*known);
    } else {
      after.indexes.push_back(
          {after.next_index++, path, empty ? IndexState::kReady : IndexState::kBuilding, limits.max_value_bytes});
    }
  }
  for (Index index : before.indexes) {
    const bool wanted = std::find(after.indexes.begin(), after.indexes.end(), index) != after.indexes.end();
    if (wanted) continue;
    index.state = IndexState::kDropping;
    after.indexes.push_back(std::move(index));
  }
  return after;
}

std::string EncodeDefinition(const Definition& definition) {
  std::string row = fmt::format("{}\nnumber {}\nnext {}\n", kFormat, definition.number, definition.next_index);
  for (const Index& index : definition.indexes) {
    row.append(
        fmt::format("{} {} {} {}\n", IndexStateName(index.state), index.number, index.max_value_bytes, index.path));
  }
  return row;
}

Result<Definition> DecodeDefinition(std::string_view row) {
  Definition definition;
  bool known_format = false;
  while (!row.empty()) {
    const std::size_t end = row.find('\n');
    if (end == std::string_view::npos) return Damaged();
    std::string_view line = row.substr(0, end);
    row.remove_prefix(end + 1);
    if (!known_format) {
      if (line != kFormat) return Damaged();
      known_format = true;
      continue;
    }
    const std::string_view word = NextWord(&line);
    const std::string_view number = NextWord(&line);
    if (word == "number" || word == "next") {
      const bool read =
          word == "number" ? ReadNumber(number, &definition.number) : ReadNumber(number, &definition.next_index);
      if (!read) return Damaged();
      continue;
    }
    Index index;
    const bool known_cut = ReadNumber(NextWord(&line), &index.max_value_bytes);
    index.path = line;
    bool known_state = false;
    for (const IndexState state : {IndexState::kBuilding, IndexState::kReady, IndexState::kDropping}) {
      if (word != IndexStateName(state)) continue;
      index.state = state;
      known_state = true;
    }
    if (!known_state || !known_cut || !ReadNumber(number, &index.number) || !IsValidPath(index.path)) return Damaged();
    definition.indexes.push_back(std::move(index));
  }
  if (!known_format || definition.number == 0) return Damaged();
  return definition;
}

}  // namespace holdfast::documents
