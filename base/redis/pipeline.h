// Commands to be sent together, already in the form in which they go out. Arguments are bytes with their length:
// nothing in them, CRLF included, can end one or begin another.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::redis {

// What the loss of the reply means.
enum class Effect {
  kRead,   // changes nothing: may be asked again
  kWrite,  // nobody knows whether it happened: kOutcomeUnknown
};

// A Lua script, sent once to each server and called by its SHA-1. Immutable; cheap to copy.
class Script {
 public:
  // `name` for messages. The text is compiled by the server when it is first used.
  Script(std::string name, std::string text);

  const std::string& name() const { return shared_->name; }
  const std::string& text() const { return shared_->text; }
  // 40 hexadecimal digits, as the server spells it.
  const std::string& sha1() const { return shared_->sha1; }

 private:
  struct Shared {
    std::string name;
    std::string text;
    std::string sha1;
  };
  std::shared_ptr<const Shared> shared_;
};

// What the server takes at most of one command by default (client-query-buffer-limit).
inline constexpr std::size_t kMaxCommandBytes = std::size_t{1} << 30;

// Not thread-safe; may be run again and again once it is filled.
class Pipeline {
 public:
  Pipeline() = default;

  // In a Redis Cluster, what is added from now on goes to the node that has this key's slot; what was added before the
  // first For goes to any node. Elsewhere it means nothing.
  Pipeline& For(std::string_view key);
  // words[0] is the command's name; at least one word, together at most kMaxCommandBytes: more is a programming error.
  Pipeline& Add(Effect effect, std::span<const std::string_view> words);
  Pipeline& Add(Effect effect, std::initializer_list<std::string_view> words) {
    return Add(effect, std::span<const std::string_view>(words.begin(), words.size()));
  }
  // EVALSHA. Every key that the script touches stands in `keys`. Not within MULTI: a script that is missing there is
  // found out too late.
  Pipeline& Call(Effect effect, const Script& script, std::span<const std::string_view> keys,
                 std::span<const std::string_view> arguments);
  Pipeline& Call(Effect effect, const Script& script, std::initializer_list<std::string_view> keys,
                 std::initializer_list<std::string_view> arguments) {
    return Call(effect, script, std::span<const std::string_view>(keys.begin(), keys.size()),
                std::span<const std::string_view>(arguments.begin(), arguments.size()));
  }

  // The number of commands.
  std::size_t size() const { return commands_.size(); }
  bool empty() const { return commands_.empty(); }
  Effect effect(std::size_t command) const { return commands_[command].effect; }
  // Of the key that For named before it; -1: none was.
  int slot(std::size_t command) const { return commands_[command].slot; }
  // What goes over the wire.
  std::size_t bytes() const { return wire_.size(); }
  void Clear();

 private:
  friend class Connection;

  struct Command {
    std::size_t end = 0;  // of its bytes in wire_
    Effect effect = Effect::kWrite;
    int script = -1;  // its place in scripts_
    int slot = -1;
  };

  int PlaceOf(const Script& script);

  std::string wire_;
  std::vector<Command> commands_;
  std::vector<Script> scripts_;  // each once
  int slot_ = -1;                // of what is added now
};

}  // namespace holdfast::redis
