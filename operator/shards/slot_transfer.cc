#include "operator/shards/slot_transfer.h"

#include <span>
#include <string_view>
#include <utility>

#include "base/time/deadline.h"

namespace holdfast::shards {
namespace {

using redis::Connection;
using redis::Effect;

class Mover {
 public:
  Mover(Connection& from, Connection& to, const Transfer& transfer, const TransferLimits& limits)
      : from_(from), to_(to), transfer_(transfer), limits_(limits), end_(Deadline::After(limits.round_budget)) {}

  Status Move() {
    std::vector<int> empty;
    std::vector<int> full;
    HOLDFAST_RETURN_IF_ERROR(Sort(transfer_.slots, &empty, &full));
    if (!empty.empty()) {
      HOLDFAST_RETURN_IF_ERROR(Begin(empty));
      // A client may have come first. Those that have keys by now are under way already, and go ahead of all others.
      std::vector<int> still_empty;
      std::vector<int> no_longer;
      HOLDFAST_RETURN_IF_ERROR(Sort(empty, &still_empty, &no_longer));
      HOLDFAST_RETURN_IF_ERROR(End(still_empty));
      full.insert(full.begin(), no_longer.begin(), no_longer.end());
    }
    for (const int slot : full) {
      // One at a time: what touches several keys of a slot has to wait as long as they are in two places.
      if (slot != full.front() && end_.Expired()) return {};
      HOLDFAST_RETURN_IF_ERROR(Begin({slot}));
      bool moved = false;
      HOLDFAST_RETURN_IF_ERROR(MoveKeys(slot, &moved));
      if (!moved) return {};
      HOLDFAST_RETURN_IF_ERROR(End({slot}));
    }
    return {};
  }

 private:
  Deadline Patience() const { return Deadline::After(limits_.key_timeout + std::chrono::seconds{1}); }

  // The same command for each of the slots, in one round trip.
  Status TellAll(Connection& server, const std::vector<int>& slots, const char* what, const std::string& id) const {
    redis::Pipeline pipeline;
    for (const int slot : slots) pipeline.Add(Effect::kWrite, {"CLUSTER", "SETSLOT", std::to_string(slot), what, id});
    redis::Replies replies = server.Run(pipeline, Patience());
    for (auto& reply : replies) {
      HOLDFAST_RETURN_IF_ERROR(redis::AsStatus(std::move(reply), std::string("CLUSTER SETSLOT ") + what));
    }
    return {};
  }

  Status Begin(const std::vector<int>& slots) const {
    HOLDFAST_RETURN_IF_ERROR(TellAll(to_, slots, "IMPORTING", transfer_.from_id));
    return TellAll(from_, slots, "MIGRATING", transfer_.to_id);
  }

  Status End(const std::vector<int>& slots) const {
    if (slots.empty()) return {};
    HOLDFAST_RETURN_IF_ERROR(TellAll(to_, slots, "NODE", transfer_.to_id));
    return TellAll(from_, slots, "NODE", transfer_.to_id);
  }

  Status Sort(const std::vector<int>& slots, std::vector<int>* empty, std::vector<int>* full) const {
    redis::Pipeline pipeline;
    for (const int slot : slots) pipeline.Add(Effect::kRead, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)});
    redis::Replies replies = from_.Run(pipeline, Patience());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t keys,
                                redis::AsInteger(std::move(replies[i]), "CLUSTER COUNTKEYSINSLOT"));
      (keys == 0 ? empty : full)->push_back(slots[i]);
    }
    return {};
  }

  Status MoveKeys(int slot, bool* moved) const {
    const std::string number = std::to_string(slot);
    const std::string at_once = std::to_string(limits_.keys_at_once);
    const std::string timeout = std::to_string(limits_.key_timeout.count());
    const std::string port = std::to_string(transfer_.to_port);
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(
          const std::vector<redis::Value> keys,
          redis::AsArray(from_.Run(Effect::kRead, {"CLUSTER", "GETKEYSINSLOT", number, at_once}, Patience()),
                         "CLUSTER GETKEYSINSLOT"));
      *moved = keys.empty();
      if (*moved) return {};
      std::vector<std::string_view> words{
          "MIGRATE",      transfer_.to_address, port,  "", "0", timeout, "REPLACE", "AUTH2",
          transfer_.user, transfer_.password,   "KEYS"};
      for (const redis::Value& key : keys) {
        if (!key.IsString()) return Error(ErrorCode::kCorruption, "CLUSTER GETKEYSINSLOT: a key is no string");
        words.emplace_back(key.text());
      }
      redis::Pipeline migrate;
      migrate.Add(Effect::kWrite, words);
      redis::Replies replies = from_.Run(migrate, Patience());
      // NOKEY: they have expired meanwhile.
      HOLDFAST_RETURN_IF_ERROR(redis::AsStatus(std::move(replies[0]), "MIGRATE"));
      if (end_.Expired()) return {};
    }
  }

  Connection& from_;
  Connection& to_;
  const Transfer& transfer_;
  const TransferLimits& limits_;
  const Deadline end_;
};

}  // namespace

Status TransferSlots(Connection& from, Connection& to, const Transfer& transfer, const TransferLimits& limits) {
  return Mover(from, to, transfer, limits).Move();
}

}  // namespace holdfast::shards
