#include <fmt/format.h>

#include "base/config/settings_load.h"
#include "base/config/settings_value.h"
#include "base/files/read_file.h"

namespace holdfast::config {
namespace {

// A settings file of every row there is has some kilobytes.
constexpr std::size_t kMaxFileBytes = 16u << 20;

// "file:12:3: why" as `where` "file:12" and `message` "why".
Problem FromYamlError(const std::string& path, const std::string& message) {
  const std::size_t line = path.size() + 1;
  const std::size_t column = message.find(':', line);
  const std::size_t why = message.find(": ", column);
  return {message.substr(0, column), "is not valid YAML: " + message.substr(why + 2)};
}

}  // namespace

std::string Loading::At(const YamlNode& node) const {
  return fmt::format("{}:{}", *sources_.file, node.line);
}

void Loading::ReadFile(const std::string& path) {
  const Result<std::string> text = files::ReadFile(path, kMaxFileBytes);
  if (!text.ok()) {
    Add("settings file", text.error().message());
    return;
  }
  const Result<std::vector<YamlNode>> documents = ParseYamlTree(*text, path);
  if (!documents.ok()) {
    problems_->push_back(FromYamlError(path, documents.error().message()));
    return;
  }
  if (documents->empty()) return;
  if (documents->size() > 1) {
    Add(At((*documents)[1]), "a settings file is one YAML document; remove the second");
  }
  const YamlNode& root = documents->front();
  if (root.kind != YamlNode::Kind::kMap) {
    Add(At(root), "a settings file is a map; write name: value");
    return;
  }
  ReadMap(root, "");
}

void Loading::ReadMap(const YamlNode& map, const std::string& prefix) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    const YamlNode& key = map.keys[i];
    const YamlNode& value = map.items[i];
    if (key.kind != YamlNode::Kind::kScalar) {
      Add(At(key), "a name must be a word, not a list, a map or nothing");
      continue;
    }
    ReadEntry(key, value, prefix + key.scalar);
  }
}

void Loading::ReadEntry(const YamlNode& key, const YamlNode& value, const std::string& name) {
  if (!given_in_file_.insert(name).second) {
    Add(At(key), fmt::format("{} is given twice; give it once", name));
    return;
  }
  const std::optional<Match> match = FindRow(name);
  if (!match) {
    if (!EnterSection(At(key), name)) {
      Add(At(key), UnknownSetting(name));
    } else if (value.kind == YamlNode::Kind::kMap) {
      ReadMap(value, name + ".");
    } else if (value.kind != YamlNode::Kind::kNull) {
      Add(At(value), fmt::format("{} is a section; put its settings below it, indented", name));
    }
    return;
  }
  if (value.kind == YamlNode::Kind::kNull) return;
  if (value.kind == YamlNode::Kind::kScalar) {
    Set(At(value), name, *match, value.scalar);
    return;
  }
  if (value.kind == YamlNode::Kind::kMap || match->row->type != Type::kList) {
    Add(At(value), fmt::format("{} takes {}, not a {}", name, TypeText(*match->row),
                               value.kind == YamlNode::Kind::kMap ? "map" : "list"));
    return;
  }
  std::vector<std::string> items;
  for (const YamlNode& item : value.items) {
    if (item.kind != YamlNode::Kind::kScalar || item.scalar.empty()) {
      Add(At(item), fmt::format("{}: an item must be a word or a number", name));
      continue;
    }
    items.push_back(item.scalar);
  }
  Set(At(value), name, *match, "", std::move(items));
}

}  // namespace holdfast::config
