#include "service/coordination/quorum_round.h"

#include <algorithm>
#include <map>

namespace holdfast::coordination {

Claim Round::OfLease(std::string_view lease) const {
  return Largest([&](const LockRow& row) { return row.lease == lease; });
}

Claim Round::OfOthers(std::string_view lease) const {
  return Largest([&](const LockRow& row) { return row.lease != lease; });
}

Claim Round::Largest(const std::function<bool(const LockRow& row)>& counts) const {
  std::map<std::uint64_t, Claim> by_token;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i].ok() || !views[i]->row || !counts(*views[i]->row)) continue;
    Claim& claim = by_token[views[i]->row->token];
    claim.row = *views[i]->row;
    claim.masters.push_back(i);
    claim.expiries.push_back(views[i]->row_expires_at);
  }
  Claim largest;
  for (auto& [token, claim] : by_token) {
    if (claim.masters.size() >= largest.masters.size()) largest = std::move(claim);
  }
  return largest;
}

std::vector<std::size_t> Round::Free() const {
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Result<QuorumView>& view = views[i];
    if (view.ok() && view->member && !view->resting && !view->row) free.push_back(i);
  }
  return free;
}

std::vector<std::size_t> Round::LeftBehind() const {
  std::vector<std::size_t> left_behind;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i].ok() || !views[i]->row) continue;
    const std::uint64_t token = views[i]->row->token;
    const auto above = std::count_if(views.begin(), views.end(),
                                     [token](const auto& view) { return view.ok() && view->newest_token > token; });
    if (static_cast<std::size_t>(above) > views.size() / 2) left_behind.push_back(i);
  }
  return left_behind;
}

}  // namespace holdfast::coordination
