// Stores with a sliding TTL: a read extends the expiry.
#pragma once

#include <string_view>

#include "service/api/exchange.h"

namespace holdfast::api {

// After `key` was read and found to be `entry`: has its expiry moved to at least the store's sliding TTL from now. To
// spare writes that is done only when a tenth of it has gone by. The write is not waited for; one that fails, or a
// crash before it, leaves the expiry as it was. A key that was replaced since is left alone.
void Slide(const Exchange& exchange, std::string_view key, const storage::Entry& entry);

}  // namespace holdfast::api
