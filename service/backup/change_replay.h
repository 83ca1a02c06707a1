// A store as it was at a moment: a backup of before, and the changes of its change log since.
#pragma once

#include "service/backup/chain.h"
#include "service/backup/change_log.h"
#include "service/backup/work.h"
#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::backup {

// So many bytes of keys and values are held at most; more changes are read in several passes over the segments.
inline constexpr std::size_t kReplayBytes = std::size_t{256} << 20;

// The bytes of a whole checkpoint of what the store held at `to`: the last change of each key that was acknowledged up
// to then, and what the backup says of all others. The backup's manifest names the first segment. Every segment up to
// `to` is read, and compared with the one before, ahead of the first byte; every link of the chain ahead of the last.
//
// kFailedPrecondition, of the first reading: the log has a gap before `to`, or does not reach so far. kCorruption: a
// segment is missing or damaged, or as SourceOf. All but `chain` outlive it.
Result<durability::ByteSource> CheckpointAt(const Chain& chain, const ChangeLog& log, Timestamp to, Target& target,
                                            const durability::WriterOptions& writer, Work& work,
                                            std::size_t most_bytes = kReplayBytes);

}  // namespace holdfast::backup
