// Removes a backup unless another one builds on it.
#pragma once

#include <string>
#include <vector>

#include "service/backup/catalogue.h"

namespace holdfast::backup {

// `all`: what Catalogue::List said; one that came to be since is looked for too, when the manifest is gone: whoever
// makes an increment looks for its parent when its own manifest is there, so one of the two finds the other, and the
// manifest is put back. kFailedPrecondition names what builds on it; kNotFound. On another error a part may be gone;
// then it is not listed any more.
Status RemoveUnused(const Catalogue& catalogue, const std::string& id, const std::vector<StoredBackup>& all,
                    Deadline deadline);

}  // namespace holdfast::backup
