#include "base/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace holdfast::config {
namespace {

constexpr std::size_t kMaxDepth = 64;

// What the library's exceptions and ours have in common: a place and a reason.
struct Refused {
  YAML::Mark mark;
  std::string why;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override { document_ = YamlNode(); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Add(NodeAt(mark, YamlNode::Kind::kNull)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "aliases are not accepted; repeat the value"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    YamlNode node = NodeAt(mark, YamlNode::Kind::kScalar);
    node.scalar = value;
    // yaml-cpp marks a plain scalar with "?" and a quoted one with "!".
    node.plain = tag == "?" || tag.empty();
    if (!node.plain && tag != "!" && tag != "tag:yaml.org,2002:str") {
      throw Refused{mark, fmt::format("the tag {} is not accepted", tag)};
    }
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Open(NodeAt(mark, YamlNode::Kind::kSequence), mark);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Open(NodeAt(mark, YamlNode::Kind::kMap), mark);
  }
  void OnMapEnd() override { Close(); }

  YamlNode TakeDocument() { return std::move(document_); }

 private:
  struct Opened {
    YamlNode node;
    std::vector<YamlNode> key;  // at most one: the key whose value comes next
  };

  static YamlNode NodeAt(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void Open(YamlNode node, const YAML::Mark& mark) {
    if (opened_.size() >= kMaxDepth) throw Refused{mark, fmt::format("nested deeper than {}", kMaxDepth)};
    opened_.push_back({std::move(node), {}});
  }

  void Close() {
    YamlNode node = std::move(opened_.back().node);
    opened_.pop_back();
    Add(std::move(node));
  }

  void Add(YamlNode node) {
    if (opened_.empty()) {
      document_ = std::move(node);
      return;
    }
    Opened& parent = opened_.back();
    if (parent.node.kind == YamlNode::Kind::kSequence) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.key.empty()) {
      parent.key.push_back(std::move(node));
    } else {
      parent.node.keys.push_back(std::move(parent.key.back()));
      parent.node.items.push_back(std::move(node));
      parent.key.clear();
    }
  }

  YamlNode document_;
  std::vector<Opened> opened_;
};

Error At(std::string_view name, const YAML::Mark& mark, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{}:{}:{}: {}", name, mark.line + 1, mark.column + 1, why));
}

}  // namespace

Result<std::vector<YamlNode>> ParseYamlTree(std::string_view text, std::string_view name) {
  std::vector<YamlNode> documents;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (true) {
      TreeBuilder builder;
      if (!parser.HandleNextDocument(builder)) break;
      YamlNode document = builder.TakeDocument();
      if (document.kind != YamlNode::Kind::kNull) documents.push_back(std::move(document));
    }
  } catch (const Refused& refused) {
    return At(name, refused.mark, refused.why);
  } catch (const YAML::Exception& error) {
    return At(name, error.mark, error.msg);
  }
  return documents;
}

}  // namespace holdfast::config
