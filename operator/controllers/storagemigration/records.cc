#include "operator/controllers/storagemigration/records.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "operator/kube/status_update.h"

namespace holdfast::storagemigration {
namespace {

using kube::Json;

constexpr int kAttempts = 3;

// Of a list by the stores' names.
void Put(std::vector<api::StoreMove>* moves, api::StoreMove move) {
  std::erase_if(*moves, [&](const api::StoreMove& each) { return each.store == move.store; });
  const auto behind =
      std::find_if(moves->begin(), moves->end(), [&](const api::StoreMove& each) { return each.store > move.store; });
  moves->insert(behind, std::move(move));
}

Status Write(kube::Client& client, Json cluster_object, const std::function<void(std::vector<api::StoreMove>*)>& change,
             Deadline deadline) {
  kube::StatusUpdate update{.what = "status.moves", .attempts = kAttempts, .status_of = {}};
  update.status_of = [&](const Json& object) {
    Json status = object.value("status", Json::object());
    std::vector<api::StoreMove> moves = api::MovesOf(object);
    change(&moves);
    if (moves.empty()) {
      status.erase("moves");
    } else {
      status["moves"] = api::MovesToJson(moves);
    }
    return status;
  };
  HOLDFAST_RETURN_IF_ERROR(
      kube::UpdateStatus(client, kube::kinds::kStorageCluster, std::move(cluster_object), update, deadline));
  return {};
}

// Of a move that is under way, and this migration's.
Status End(kube::Client& client, Json cluster_object, const api::StorageMigration& migration,
           const std::function<api::StoreMove(api::StoreMove)>& ended, Deadline deadline) {
  return Write(
      client, std::move(cluster_object),
      [&](std::vector<api::StoreMove>* moves) {
        const api::StoreMove* present = api::FindMove(*moves, migration.spec.store);
        if (present == nullptr || present->uid != migration.uid || !present->moving()) return;
        api::StoreMove move = ended(*present);
        move.caller.clear();
        // Without a backend that it has left there is nothing to be remembered.
        if (!move.former.empty()) return Put(moves, std::move(move));
        std::erase_if(*moves, [&](const api::StoreMove& each) { return each.store == migration.spec.store; });
      },
      deadline);
}

}  // namespace

Status PrepareMove(kube::Client& client, Json cluster_object, const api::StoreMove& wanted, Deadline deadline) {
  bool taken = false;
  HOLDFAST_RETURN_IF_ERROR(Write(
      client, std::move(cluster_object),
      [&](std::vector<api::StoreMove>* moves) {
        const api::StoreMove* present = api::FindMove(*moves, wanted.store);
        // Whose migration is gone is checked by whoever asks; a store has one at a time all the same.
        taken = present != nullptr && present->moving() && present->uid != wanted.uid && present->to != wanted.to;
        if (!taken) Put(moves, wanted);
      },
      deadline));
  if (!taken) return {};
  return Error(ErrorCode::kFailedPrecondition, "another StorageMigration has the store");
}

Status SettleMove(kube::Client& client, Json cluster_object, const api::StorageMigration& migration,
                  Deadline deadline) {
  return End(
      client, std::move(cluster_object), migration,
      [](api::StoreMove move) {
        move.former.push_back(std::exchange(move.backend, std::exchange(move.to, {})));
        std::erase(move.former, move.backend);
        std::sort(move.former.begin(), move.former.end());
        move.former.erase(std::unique(move.former.begin(), move.former.end()), move.former.end());
        return move;
      },
      deadline);
}

Status ForgetMove(kube::Client& client, Json cluster_object, const api::StorageMigration& migration,
                  Deadline deadline) {
  return End(
      client, std::move(cluster_object), migration,
      [](api::StoreMove move) {
        move.to.clear();
        return move;
      },
      deadline);
}

}  // namespace holdfast::storagemigration
