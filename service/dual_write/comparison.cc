#include "service/dual_write/comparison.h"

#include <algorithm>
#include <map>

#include "service/dual_write/range_hash.h"
#include "service/dual_write/rows.h"

namespace holdfast::dual_write {

using storage::KeyedEntry;
using storage::ScanPage;

namespace {

std::uint64_t HashOf(const std::vector<KeyedEntry>& entries) {
  RangeHash hash;
  for (const KeyedEntry& item : entries) hash.Add(item.key, *item.entry);
  return hash.value();
}

// Keys of which the two have different things.
std::vector<std::string> Different(const std::vector<KeyedEntry>& source, const std::vector<KeyedEntry>& target) {
  std::map<std::string, std::uint64_t> there;
  for (const KeyedEntry& item : target) there.emplace(item.key, Fingerprint(*item.entry));
  std::vector<std::string> keys;
  for (const KeyedEntry& item : source) {
    const auto found = there.find(item.key);
    if (found == there.end() || found->second != Fingerprint(*item.entry)) keys.push_back(item.key);
    if (found != there.end()) there.erase(found);
  }
  for (const auto& [key, fingerprint] : there) keys.push_back(key);
  return keys;
}

}  // namespace

Result<Comparison> ComparePage(const ScanPage& page, const storage::KeyRange& range, const std::string& after,
                               std::size_t most, const ScanOfTarget& scan) {
  storage::ScanRequest same;
  same.range = range;
  same.limit = most;
  if (!after.empty()) same.after = after;
  // Up to the last key of the source's page, or to the end: also what is in the target alone is found.
  if (!page.complete) same.range.end = page.entries.back().key + '\0';
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage there, scan(same));
  std::vector<KeyedEntry> here = page.entries;
  if (!there.complete) {
    const std::string& last = there.entries.back().key;
    std::erase_if(here, [&](const KeyedEntry& item) { return item.key > last; });
  }
  Comparison comparison;
  if (HashOf(here) != HashOf(there.entries)) comparison.different = Different(here, there.entries);
  comparison.keys = here.size();
  comparison.complete = page.complete && there.complete;
  if (!there.complete) {
    comparison.reached = there.entries.back().key;
  } else if (!page.entries.empty()) {
    comparison.reached = page.entries.back().key;
  }
  return comparison;
}

}  // namespace holdfast::dual_write
