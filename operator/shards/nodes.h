// What the servers of a Redis Cluster say of each other (CLUSTER NODES of Redis 7.0), and who of them has a slot. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::shards {

struct SlotRange {
  int first = 0;
  int last = 0;  // too
  bool operator==(const SlotRange&) const = default;
};

// "0-5460 5462", as Redis spells them.
std::string Spell(const std::vector<SlotRange>& ranges);

// A server, as one of them knows it.
struct Node {
  std::string id;         // on its volume; a server that comes back without its volume has another
  std::string ip = {};    // empty while it is not known
  std::string host = {};  // "demo-cache-0.demo-cache-pods.prod.svc"; empty until it was heard of
  bool myself = false;
  bool master = false;
  bool failed = false;     // most masters have not heard of it
  bool suspected = false;  // this one has not
  bool handshake = false;  // being met; `id` is no one's yet
  std::string master_id = {};
  std::int64_t epoch = 0;  // of two that have a slot the greater one is right
  bool connected = false;
  std::vector<SlotRange> slots = {};
  std::map<int, std::string> migrating = {};  // of its own only: slot -> to whom
  std::map<int, std::string> importing = {};  // slot -> from whom

  // "demo-cache-0"; empty while it is not known.
  std::string pod() const { return host.substr(0, host.find('.')); }
};

// One server's answers.
struct Report {
  std::int64_t ordinal = 0;       // of its pod
  std::string ip;                 // of its pod now
  std::vector<Node> nodes;        // exactly one of them itself
  bool in_step = false;           // of a replica: its link to the master stands (see Distrust)
  std::string copies_from = {};   // of a replica: the address at which it believes its master to be
  bool copies = false;            // of a replica: it is being given everything anew
  std::int64_t cut_off_for = -1;  // of a replica: seconds since it lost its master; -1: it has one, or never had one
  std::int64_t offset = 0;        // of a replica: how far it has come
  std::int64_t keys = 0;          // how many it has

  const Node& self() const;
  // Null: not known to it.
  const Node* Find(std::string_view id) const;
};

// kCorruption when it is no such list, or names not exactly one server as itself.
Result<std::vector<Node>> ParseNodes(std::string_view text);

// A replica that copies from where another server is by now, and not its master, is not in step with that.
void Distrust(std::vector<Report>* reports);

// Who has each slot, as the newest claim of all reports says.
class Owners {
 public:
  explicit Owners(const std::vector<Report>& reports);

  // Empty: nobody.
  const std::string& Of(int slot) const { return ids_[owner_[static_cast<std::size_t>(slot)]]; }
  // By id; those without slots are not in it.
  const std::map<std::string, std::vector<SlotRange>>& slots() const { return slots_; }
  bool Has(const std::string& id) const { return slots_.contains(id); }
  int covered() const { return covered_; }

 private:
  std::vector<std::string> ids_;
  std::vector<std::size_t> owner_;  // of each slot, into ids_
  std::map<std::string, std::vector<SlotRange>> slots_;
  int covered_ = 0;
};

}  // namespace holdfast::shards
