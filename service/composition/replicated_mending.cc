// Mending what the replicas of a store have not the same of.
#include <algorithm>
#include <map>
#include <set>

#include "service/composition/replicated_backend.h"
#include "service/dual_write/rows.h"
#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;

namespace {

// What a replica has under a key, for counting: the version, and of one version what was written; {0, 0}: nothing.
using Vote = std::pair<storage::Version, std::uint64_t>;
using Votes = std::map<Vote, std::size_t>;

Vote VoteOf(const EntryPtr& entry) {
  return entry ? Vote{entry->version, dual_write::Fingerprint(*entry)} : Vote{};
}

// Whether most have the same or else all have the key, and one thing under the newest version.
bool IsDecided(const Votes& votes, std::size_t most) {
  std::size_t all = 0;
  for (const auto& [vote, count] : votes) all += count;
  if (2 * most > all) return true;
  const storage::Version newest = votes.rbegin()->first.first;
  const auto same_version = [&](const auto& each) { return each.first.first == newest; };
  return votes.begin()->first.first > 0 && std::count_if(votes.begin(), votes.end(), same_version) == 1;
}

}  // namespace

// The caller has the keys' locks, so all replicas that have applied everything should have the same.
Status ReplicatedBackend::Repair(Keys keys, const Undecided& undecided, const Deadline& deadline) {
  group_.AwaitApplied();
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::size_t> readers, group_.Readers(1, deadline));
  std::vector<Rows> read;
  for (const std::size_t replica : readers) {
    auto rows = ReadRows(replica, keys, deadline);
    if (!rows.ok()) {
      group_.Suspect(replica, rows.error());
      return {};  // the caller asks again
    }
    read.push_back(*std::move(rows));
  }
  const Timestamp now = clock_.Now();
  std::vector<Operation> writes;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::vector<Row> had;
    for (Rows& rows : read) {
      if (rows[i].entry && storage::IsExpired(*rows[i].entry, now)) rows[i].entry = nullptr;
      had.push_back(rows[i]);
    }
    MendKey(keys[i], had, undecided, &writes);
  }
  if (writes.empty()) return {};
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t sequence, group_.Append(std::move(writes)));
  return group_.AwaitCommitted(sequence, deadline);
}

void ReplicatedBackend::MendKey(const std::string& key, const std::vector<Row>& had, const Undecided& undecided,
                                std::vector<Operation>* writes) {
  Votes votes;
  bool damaged = false;
  for (const Row& row : had) {
    damaged = damaged || row.damaged;
    if (!row.damaged) ++votes[VoteOf(row.entry)];
  }
  if (votes.empty() || (votes.size() == 1 && !damaged)) return;
  const auto winner = std::max_element(votes.rbegin(), votes.rend(), [](const auto& one, const auto& other) {
    return one.second < other.second;
  });  // of equals the first, which is the highest version
  const storage::Version newest = votes.rbegin()->first.first;
  // Beyond what has been given away is no younger write but damage.
  if (undecided.left && newest > undecided.until && newest < group_.NextVersion()) return;
  const bool left = undecided.left && !IsDecided(votes, winner->second);
  if (undecided.counted != nullptr) {
    ++undecided.counted->different;
    undecided.counted->mended += left ? 0 : 1;
  }
  if (left) return;
  std::set<Vote> kept;
  EntryPtr entry;
  for (const Row& row : had) {
    if (!row.damaged && VoteOf(row.entry) == winner->first) entry = row.entry;
  }
  for (const Row& row : had) {
    const Vote vote = VoteOf(row.entry);
    if (row.entry == nullptr || vote == winner->first || !kept.insert(vote).second) continue;
    writes->push_back(group_.ConflictRow(key, row.entry, winner->first.first));
  }
  group_.CountDivergence(!kept.empty());
  writes->push_back(SecondaryCopy::WriteOf({key, entry}));
}

Result<MendedKeys> ReplicatedBackend::MendFound(const std::vector<std::string>& keys, storage::Version until) {
  const Deadline deadline = Deadline::After(options_.call_timeout);
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  const auto held = Lock(keys);
  HOLDFAST_RETURN_IF_ERROR(group_.AwaitSettled(deadline));
  MendedKeys counted;
  HOLDFAST_RETURN_IF_ERROR(Repair(keys, {true, until, &counted}, deadline));
  return counted;
}

}  // namespace holdfast::composition
