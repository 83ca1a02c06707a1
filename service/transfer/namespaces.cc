#include "service/transfer/namespaces.h"

#include "service/storage/key_space.h"
#include "service/transfer/patience.h"

namespace holdfast::transfer {

using storage::KeySpace;
using storage::Room;

Result<std::vector<std::string>> NamespacesOf(storage::Backend& backend, const std::string& store) {
  std::vector<std::string> names;
  storage::ScanRequest request;
  request.range = storage::KeyRange::Prefix(store + '\0');
  request.keys_only = true;
  request.limit = 1;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page,
                              WithPatience(kPauses, [&] { return backend.Scan(request, Deadline::After(kPatience)); }));
    if (page.entries.empty()) return names;
    const auto place = storage::FindPlace(page.entries[0].key);
    if (!place) return Error(ErrorCode::kCorruption, "the store has a key outside of every namespace");
    const KeySpace space(store, place->name_space);
    const KeySpace keys = space.In(Room::kKeys);
    // On to the keys of this namespace, or behind all of it.
    if (page.entries[0].key < keys.prefix()) {
      request.range.start = keys.prefix();
      continue;
    }
    if (place->room == Room::kKeys && place->name_space != storage::kSystemNamespace) {
      names.emplace_back(place->name_space);
    }
    request.range.start = *storage::KeyRange::Prefix(space.prefix()).end;
  }
}

}  // namespace holdfast::transfer
