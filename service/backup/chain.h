// A backup with all that it builds on: a full one, and the increments behind it. Each names the manifest of the one
// before by its SHA-256, so none of them can be exchanged for another one of its name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/backup/catalogue.h"
#include "service/backup/work.h"
#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::backup {

// The full one first, never empty; the last one is what is read.
using Chain = std::vector<std::shared_ptr<const OpenedBackup>>;

// As Catalogue::Open of each. kCorruption too: one that it builds on is not there, or is another one.
Result<Chain> OpenChain(const Catalogue& catalogue, const std::string& id, Deadline deadline);

// That are moved by ReadAll: of all objects, and of the last one's index.
std::uint64_t BytesOf(const Chain& chain);
// That are moved by CheckpointOf.
std::uint64_t CheckpointBytesOf(const Chain& chain);

// The bytes of a whole checkpoint of what the last one holds. All of every link is read, and compared with its
// manifest, before the end is given out; a full one is read without its index. kCorruption as SourceOf. `target` and
// `work` outlive it. Memory: an object of each link, and its decrypted copy.
Result<durability::ByteSource> CheckpointOf(const Chain& chain, Target& target, const durability::WriterOptions& writer,
                                            Work& work);

// What CheckpointOf has left unread: the index of a full one.
Status ReadIndex(const Chain& chain, Target& target, Work& work);

// Reads all of every link, and of the last one's index: that all of it is there, and nothing else. As CheckpointOf.
Status ReadAll(const Chain& chain, Target& target, Work& work);

}  // namespace holdfast::backup
