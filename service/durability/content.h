// Which rows of a store a checkpoint holds, and what a restore does to them; pure. A key is a backend's without the
// store's name (storage/key_space.h): namespace \0 room key.
#pragma once

#include <string_view>

namespace holdfast::durability {

enum class Part {
  kContent,  // keys, documents with their indexes: a restore makes them what they were
  // The newest fencing token of a lock: a restore may raise it and never lowers or removes it. A holder of before that
  // was refused would otherwise be let in again.
  kFence,
  // First answers to requests with an Idempotency-Key: a restore adds those that are gone, and leaves the others.
  // Whoever repeats such a request, the one that restores among them, is told what happened, also where that was undone
  // since.
  kAnswer,
  // Locks, which are held by whoever holds them now; what is the service's own. Neither saved nor touched.
  kNone,
};
Part PartOf(std::string_view key);

}  // namespace holdfast::durability
