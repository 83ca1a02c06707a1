#include "operator/shards/nodes.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/redis/slot.h"

namespace holdfast::shards {
namespace {

constexpr std::size_t kFields = 8;  // in front of the slots

Error Strange(std::string_view what) {
  return Error(ErrorCode::kCorruption, "CLUSTER NODES: " + std::string(what));
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ReadSlot(std::string_view text, int* slot) {
  return ReadNumber(text, slot) && *slot >= 0 && *slot < redis::kSlots;
}

// "0-5460", "5461", "[77->-ID]", "[77-<-ID]".
bool ReadSlots(std::string_view word, Node* node) {
  if (word.front() == '[') {
    if (word.back() != ']') return false;
    word = word.substr(1, word.size() - 2);
    const std::size_t dash = word.find('-');
    int slot = 0;
    if (dash == std::string_view::npos || word.size() < dash + 3 || !ReadSlot(word.substr(0, dash), &slot)) {
      return false;
    }
    const std::string other(word.substr(dash + 3));
    (word[dash + 1] == '>' ? node->migrating : node->importing)[slot] = other;
    return true;
  }
  const std::size_t dash = word.find('-');
  SlotRange range;
  if (!ReadSlot(word.substr(0, dash), &range.first)) return false;
  range.last = range.first;
  if (dash != std::string_view::npos && !ReadSlot(word.substr(dash + 1), &range.last)) return false;
  node->slots.push_back(range);
  return range.first <= range.last;
}

// "10.0.0.7:6379@16379,demo-cache-0.demo-cache-pods.prod.svc"; of IPv6 the last colon counts.
void ReadAddress(std::string_view word, Node* node) {
  const std::size_t comma = word.find(',');
  if (comma != std::string_view::npos) node->host = word.substr(comma + 1);
  const std::string_view address = word.substr(0, comma);
  const std::size_t colon = address.substr(0, address.find('@')).rfind(':');
  node->ip = address.substr(0, colon);
}

bool HasFlag(std::string_view flags, std::string_view wanted) {
  const auto all = Split(flags, ',');
  return std::find(all.begin(), all.end(), wanted) != all.end();
}

}  // namespace

std::string Spell(const std::vector<SlotRange>& ranges) {
  std::string text;
  for (const SlotRange& range : ranges) {
    if (!text.empty()) text += ' ';
    text += std::to_string(range.first);
    if (range.last != range.first) text.append("-").append(std::to_string(range.last));
  }
  return text;
}

const Node& Report::self() const {
  const auto self = std::find_if(nodes.begin(), nodes.end(), [](const Node& node) { return node.myself; });
  if (self == nodes.end()) std::abort();  // ParseNodes makes none such
  return *self;
}

const Node* Report::Find(std::string_view id) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.id == id && !node.handshake; });
  return found == nodes.end() ? nullptr : &*found;
}

Result<std::vector<Node>> ParseNodes(std::string_view text) {
  std::vector<Node> nodes;
  for (std::string_view line : Split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::vector<std::string_view> words = Split(line, ' ');
    if (words.empty()) continue;
    if (words.size() < kFields) return Strange("a line is too short");
    Node node{.id = std::string(words[0])};
    ReadAddress(words[1], &node);
    const std::string_view flags = words[2];
    node.myself = HasFlag(flags, "myself");
    node.master = HasFlag(flags, "master");
    node.failed = HasFlag(flags, "fail");
    node.suspected = HasFlag(flags, "fail?");
    node.handshake = HasFlag(flags, "handshake");
    if (words[3] != "-") node.master_id = words[3];
    node.connected = words[7] == "connected";
    if (!ReadNumber(words[6], &node.epoch)) return Strange("an epoch is no number");
    for (std::size_t i = kFields; i < words.size(); ++i) {
      if (!ReadSlots(words[i], &node)) return Strange("slots are none");
    }
    nodes.push_back(std::move(node));
  }
  if (std::count_if(nodes.begin(), nodes.end(), [](const Node& node) { return node.myself; }) != 1) {
    return Strange("not exactly one server is itself");
  }
  return nodes;
}

void Distrust(std::vector<Report>* reports) {
  for (Report& report : *reports) {
    const bool of_another = std::any_of(reports->begin(), reports->end(), [&](const Report& other) {
      return other.ip == report.copies_from && other.self().id != report.self().master_id;
    });
    if (of_another) report.in_step = false;
  }
}

Owners::Owners(const std::vector<Report>& reports) : ids_(1), owner_(redis::kSlots, 0) {
  std::vector<std::int64_t> epochs(redis::kSlots, -1);
  for (const Report& report : reports) {
    for (const Node& node : report.nodes) {
      if (node.slots.empty()) continue;
      const auto known = std::find(ids_.begin(), ids_.end(), node.id);
      const auto index = static_cast<std::size_t>(known - ids_.begin());
      if (known == ids_.end()) ids_.push_back(node.id);
      for (const SlotRange& range : node.slots) {
        for (auto slot = static_cast<std::size_t>(range.first); slot <= static_cast<std::size_t>(range.last); ++slot) {
          if (node.epoch <= epochs[slot]) continue;
          epochs[slot] = node.epoch;
          owner_[slot] = index;
        }
      }
    }
  }
  for (int slot = 0; slot < redis::kSlots; ++slot) {
    const std::string& id = Of(slot);
    if (id.empty()) continue;
    ++covered_;
    std::vector<SlotRange>& ranges = slots_[id];
    if (!ranges.empty() && ranges.back().last == slot - 1) {
      ranges.back().last = slot;
    } else {
      ranges.push_back({slot, slot});
    }
  }
}

}  // namespace holdfast::shards
