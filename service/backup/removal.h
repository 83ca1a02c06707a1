// Removes backups unless others build on them, whoever else makes and removes some at the same moment.
//
// The remover puts a mark of its own beside the manifest, and looks for increments then. Whoever makes an increment
// puts its manifest, and looks for marks on what it builds on then (create.cc). So one of the two finds the other: the
// remover takes its mark away again, or the increment is given up, or both. The manifest goes only when there is no
// increment, and never comes back: a crash at any moment leaves a backup whole or gone.
//
// A mark is taken away only by who has put it, while it can still be acted on: for another remover that has seen no
// increment it holds up. What a crash left is taken away by Prune when it is older than any removal.
#pragma once

#include <string>
#include <vector>

#include "service/backup/catalogue.h"

namespace holdfast::backup {

// What became of each of `ids`, which go in this order. `all`: what Catalogue::List said before, by which one is
// refused without a mark when a backup builds on it that does not go. kFailedPrecondition names what builds on it;
// kNotFound. On another error the backup may be gone, or in part, and is not listed then; if it is there, a mark may be
// left beside it.
std::vector<Status> RemoveUnused(const Catalogue& catalogue, const std::vector<std::string>& ids,
                                 const std::vector<StoredBackup>& all, Deadline deadline);

// Takes away what removals that ended in the middle have left beside those of `all`: marks put before `before`.
Status WithdrawMarks(const Catalogue& catalogue, const std::vector<StoredBackup>& all, Timestamp before,
                     Deadline deadline);

}  // namespace holdfast::backup
