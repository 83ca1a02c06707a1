// A view of a backend that is confined to one key space: callers see keys without its prefix and reach nothing outside.
#pragma once

#include <memory>

#include "service/storage/backend.h"
#include "service/storage/key_space.h"

namespace holdfast::storage {

// `limits` are what callers are held to; the backend's own key limit has room for the prefix. Statistics are the whole
// backend's, Close does nothing and listeners are refused: the backend belongs to whoever opened it.
std::shared_ptr<Backend> Confine(std::shared_ptr<Backend> backend, KeySpace space, const Limits& limits);

}  // namespace holdfast::storage
