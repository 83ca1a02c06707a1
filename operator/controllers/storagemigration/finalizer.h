// While a store is on its way its StorageMigration does not go: what was begun is undone first.
#pragma once

namespace holdfast::storagemigration {

inline constexpr char kFinalizer[] = "storage.holdfast.dev/migration";

}  // namespace holdfast::storagemigration
