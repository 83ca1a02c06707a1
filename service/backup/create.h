// Makes a backup: the store as it is now, as the objects of a new backup on the target, its manifest last.
#pragma once

#include <memory>
#include <string>

#include "service/backup/backup_options.h"
#include "service/backup/catalogue.h"
#include "service/backup/chain.h"
#include "service/backup/work.h"
#include "service/storage/backend.h"

namespace holdfast::backup {

// What is backed up.
struct Source {
  std::shared_ptr<storage::Backend> backend;
  std::string store;
};

// Of a store with a change log.
struct ChangeMark {
  std::uint64_t first = 0;  // the segment behind the last one when the backup was begun
  const Clock& clock;       // by which changes have their times
};

// Whole and durable when it returns. On any error it is not there, and what this call has written of it is removed as
// far as the target lets us (and nobody has built on it already), and nothing else. kAlreadyExists: there is one of
// that id, or what is left of one. `claimed`: its id is the caller's by the claim that lies there; what is left of an
// attempt before does not hinder. `parent`: it becomes an increment on the last of these; empty: a full one.
// kFailedPrecondition: one of them was removed meanwhile, or somebody is about to. kCorruption: the index of the last
// one is damaged. `changes`: null, it cannot be brought to a time.
Status CreateBackup(const Source& source, const Catalogue& catalogue, const std::string& id, Timestamp now,
                    const CreateOptions& options, Work& work, bool claimed = false, const Chain& parent = {},
                    const ChangeMark* changes = nullptr);

}  // namespace holdfast::backup
