// A Redis Cluster as its servers tell of it, and what commands do to it: by the rules of Redis 7.0 that matter here,
// all at once and without gossip's delays.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/redis/slot.h"
#include "gtest/gtest.h"
#include "operator/shards/decision.h"
#include "operator/shards/slot_plan.h"

namespace holdfast::shards {

class ShardBench {
 public:
  struct Server {
    std::string id;
    std::string ip;
    bool answers = true;
    bool in_step = true;
    std::int64_t cut_off_for = -1;
    std::int64_t offset = 0;
    std::int64_t keys = 0;
    std::string master_id = {};
    std::int64_t epoch = 0;
    std::set<std::string> knows = {};            // by id
    std::map<std::string, std::string> at = {};  // where it believes them to be; empty: it has met another there
  };

  ShardBench(std::int64_t shards, std::int64_t replicas) : shards_(shards), replicas_(replicas) {
    for (std::int64_t i = 0; i < shards * (1 + replicas); ++i) Start(i);
  }

  // A pod with an empty volume.
  void Start(std::int64_t ordinal) {
    servers[ordinal] = {.id = "id" + std::to_string(next_id_++), .ip = "10.0.0." + std::to_string(ordinal)};
    pods_[servers[ordinal].id] = ordinal;
  }
  // More shards are asked for, and their pods are there; or fewer.
  void Grow(std::int64_t shards) {
    for (std::int64_t i = shards_ * (1 + replicas_); i < shards * (1 + replicas_); ++i) {
      if (!servers.contains(i)) Start(i);
    }
    shards_ = shards;
  }
  // The slots of a move go over, up to `most` of them.
  void Move(const SlotMove& move, std::size_t most = redis::kSlots) {
    for (const int slot : move.slots) {
      if (most-- == 0) return;
      ASSERT_EQ(OwnerOf(slot), IdOf(move.from));
      ASSERT_EQ(MasterOf(move.to), "") << "slots go to masters";
      owners_[slot] = IdOf(move.to);
    }
    servers.at(move.to).epoch = ++epoch_;
  }
  // As when a move is stopped between its two ends.
  void LeaveOpen(int slot, std::int64_t to) { open_[slot] = IdOf(to); }
  // Redis makes the replica the master of all that the other one had.
  void TakeOver(std::int64_t ordinal) {
    Server& server = servers.at(ordinal);
    for (auto& [slot, owner] : owners_) {
      if (owner == server.master_id) owner = server.id;
    }
    server.epoch = ++epoch_;
    for (auto& [other, each] : servers) {
      if (other != ordinal && each.master_id == server.master_id) each.master_id = server.id;
    }
    server.master_id.clear();
  }

  Facts Say(bool begun) const {
    Facts facts{.set = "demo-cache", .shards = shards_, .replicas = replicas_, .begun = begun, .reports = {}};
    for (const auto& [ordinal, server] : servers) {
      facts.beyond = facts.beyond || ordinal >= facts.servers();
      if (!server.answers) continue;
      Report report{.ordinal = ordinal, .ip = server.ip, .nodes = {}, .in_step = server.in_step};
      report.cut_off_for = server.cut_off_for;
      report.offset = server.offset;
      report.keys = server.keys;
      report.nodes.push_back(NodeOf(server.id, server));
      for (const std::string& id : server.knows) report.nodes.push_back(NodeOf(id, server));
      facts.reports.push_back(std::move(report));
    }
    return facts;
  }

  void Obey(const Command& command) {
    Server& server = servers.at(command.ordinal);
    ASSERT_TRUE(server.answers) << "told who does not answer";
    const std::vector<std::string>& words = command.words;
    ASSERT_EQ(words.at(0), "CLUSTER");
    if (words.at(1) == "SETSLOT") {
      ASSERT_EQ(words.at(3), "STABLE");
      open_.erase(std::stoi(words.at(2)));
    } else if (words.at(1) == "SET-CONFIG-EPOCH") {
      ASSERT_TRUE(server.knows.empty() && server.epoch == 0);
      server.epoch = std::stoll(words.at(2));
      epoch_ = std::max(epoch_, server.epoch);
    } else if (words.at(1) == "MEET") {
      Meet(server, words.at(2));
    } else if (words.at(1) == "FORGET") {
      ASSERT_TRUE(server.knows.contains(words.at(2)) && server.master_id != words.at(2));
      server.knows.erase(words.at(2));
    } else if (words.at(1) == "ADDSLOTSRANGE") {
      for (std::size_t i = 2; i < words.size(); i += 2) {
        for (int slot = std::stoi(words.at(i)); slot <= std::stoi(words.at(i + 1)); ++slot) {
          ASSERT_EQ(owners_.count(slot), 0u) << "the slot " << slot << " has an owner";
          owners_[slot] = server.id;
        }
      }
    } else if (words.at(1) == "FAILOVER") {
      ASSERT_FALSE(server.master_id.empty());
      const std::string before = server.master_id;
      TakeOver(command.ordinal);
      // In order, the other one follows it.
      for (auto& [ordinal, other] : servers) {
        if (words.size() == 2 && other.id == before) other.master_id = server.id;
      }
    } else if (words.at(1) == "REPLICATE") {
      ASSERT_TRUE(server.knows.contains(words.at(2)));
      for (const auto& [slot, owner] : owners_) ASSERT_NE(owner, server.id) << "it has slots";
      server.master_id = words.at(2);
    } else {
      FAIL() << "nobody knows " << words.at(1);
    }
  }

  // Looks and tells until there is nothing to tell; the number of looks. `stop_after` commands whoever tells is gone,
  // and another begins anew.
  int Settle(bool begun, int stop_after = 1'000'000) {
    for (int looks = 1; looks < 200; ++looks) {
      const std::vector<Command> commands = Decide(Say(begun));
      if (commands.empty()) return looks;
      int told = 0;
      for (const Command& command : commands) {
        if (told++ == stop_after) break;
        Obey(command);
      }
    }
    ADD_FAILURE() << "there is always something more to tell";
    return 0;
  }

  std::string OwnerOf(int slot) const { return owners_.contains(slot) ? owners_.at(slot) : std::string(); }
  std::string MasterOf(std::int64_t ordinal) const { return servers.at(ordinal).master_id; }
  std::string IdOf(std::int64_t ordinal) const { return servers.at(ordinal).id; }
  // Of those that answer.
  std::set<std::string> KnownTo(std::int64_t ordinal) const { return servers.at(ordinal).knows; }

  std::map<std::int64_t, Server> servers;  // by ordinal

 private:
  // Both learn of each other, and of whom the other knows.
  void Meet(Server& hub, const std::string& ip) {
    for (auto& [ordinal, other] : servers) {
      if (other.ip != ip || !other.answers) continue;
      std::set<std::string> together = hub.knows;
      together.insert(other.knows.begin(), other.knows.end());
      together.insert(hub.id);
      together.insert(other.id);
      for (auto& [number, each] : servers) {
        if (!together.contains(each.id) || !each.answers) continue;
        each.knows = together;
        each.knows.erase(each.id);
        for (const std::string& id : together) {
          const auto pod = pods_.find(id);
          if (pod == pods_.end() || servers.at(pod->second).id != id) continue;
          // Gossip tells no new address of one that has none, only who is met does.
          const bool met = (each.id == hub.id && id == other.id) || (each.id == other.id && id == hub.id);
          if (met || !each.at.contains(id) || !each.at[id].empty()) each.at[id] = servers.at(pod->second).ip;
        }
      }
    }
  }

  Node NodeOf(const std::string& id, const Server& teller) const {
    const std::int64_t ordinal = pods_.at(id);
    const Server& server = servers.at(ordinal);
    const bool there = server.id == id;
    const auto believed = teller.at.find(id);
    Node node{.id = id,
              .ip = id == teller.id               ? server.ip
                    : believed != teller.at.end() ? believed->second
                                                  : "",
              .host = "demo-cache-" + std::to_string(ordinal) + ".demo-cache-pods.prod.svc"};
    node.myself = id == teller.id;
    node.master_id = there ? server.master_id : "";
    node.master = node.master_id.empty();
    node.epoch = there ? server.epoch : 0;
    node.connected = there && server.answers && (node.myself || node.ip == server.ip);
    node.failed = !node.connected;
    for (const auto& [slot, owner] : owners_) {
      if (owner != id) continue;
      if (!node.slots.empty() && node.slots.back().last == slot - 1) {
        node.slots.back().last = slot;
      } else {
        node.slots.push_back({slot, slot});
      }
    }
    for (const auto& [slot, to] : open_) {
      if (node.myself && to == id) node.importing[slot] = OwnerOf(slot);
      if (node.myself && OwnerOf(slot) == id && to != id) node.migrating[slot] = to;
    }
    // Who knows nobody has not heard who has which slots.
    if (!node.myself && teller.knows.empty()) node.slots.clear();
    return node;
  }

  std::int64_t shards_;
  std::int64_t replicas_;
  int next_id_ = 0;
  std::int64_t epoch_ = 0;
  std::map<std::string, std::int64_t> pods_;  // of every id there ever was
  std::map<int, std::string> owners_;
  std::map<int, std::string> open_;  // to whom a slot is on its way, by id
};

}  // namespace holdfast::shards
