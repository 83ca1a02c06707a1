#include "service/backup/chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/backup/object_reader.h"
#include "service/durability/chain_reader.h"

namespace holdfast::backup {
namespace {

using Opened = std::shared_ptr<const OpenedBackup>;

Result<Opened> Open(const Catalogue& catalogue, const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(OpenedBackup opened, catalogue.Open(id, deadline));
  return std::make_shared<const OpenedBackup>(std::move(opened));
}

Result<Opened> OpenParent(const Catalogue& catalogue, const Manifest& child, Deadline deadline) {
  const auto damaged = [&](std::string_view how) {
    return Damaged(fmt::format("backup {}, which {} builds on, {}", child.parent->id, child.id, how));
  };
  auto parent = Open(catalogue, child.parent->id, deadline);
  if (!parent.ok() && parent.error().code() == ErrorCode::kNotFound) return damaged("is not there");
  if (!parent.ok()) return parent;
  const bool same = (*parent)->digest == child.parent->digest && (*parent)->manifest.link + 1 == child.link;
  if (!same) return damaged("is another one than it was");
  return parent;
}

Result<std::unique_ptr<durability::ChainReader>> OpenReader(const Chain& chain, Target& target, Work& work) {
  std::vector<durability::ChainLink> links;
  for (const Opened& backup : chain) {
    const Manifest& manifest = backup->manifest;
    links.push_back({SourceOf(backup, target, work), manifest.parent ? manifest.parent->digest : durability::Digest{},
                     manifest.checkpoint});
  }
  return durability::ChainReader::Open(IndexOf(chain.back(), target, work), std::move(links));
}

Status CheckTotals(const Manifest& manifest, const durability::ChainTotals& totals) {
  const bool same = totals.entries == manifest.entries && totals.entry_bytes == manifest.entry_bytes &&
                    totals.content == manifest.content;
  return same ? Status() : Status(Damaged("what it comes to is not what its manifest says"));
}

}  // namespace

Result<Chain> OpenChain(const Catalogue& catalogue, const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(Opened last, Open(catalogue, id, deadline));
  Chain chain{std::move(last)};
  // `link` becomes less with each, and the full one has 0.
  while (chain.back()->manifest.parent) {
    HOLDFAST_ASSIGN_OR_RETURN(Opened parent, OpenParent(catalogue, chain.back()->manifest, deadline));
    chain.push_back(std::move(parent));
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

std::uint64_t BytesOf(const Chain& chain) {
  std::uint64_t bytes = 0;
  for (const Opened& backup : chain) {
    for (const ManifestObject& object : backup->manifest.objects) bytes += object.bytes;
  }
  for (const ManifestObject& object : chain.back()->manifest.index) bytes += object.bytes;
  return bytes;
}

std::uint64_t CheckpointBytesOf(const Chain& chain) {
  std::uint64_t unread = 0;
  if (!chain.back()->manifest.parent) {
    for (const ManifestObject& object : chain.back()->manifest.index) unread += object.bytes;
  }
  return BytesOf(chain) - unread;
}

Status ReadIndex(const Chain& chain, Target& target, Work& work) {
  const Manifest& manifest = chain.back()->manifest;
  if (manifest.parent || manifest.index.empty()) return {};
  HOLDFAST_ASSIGN_OR_RETURN(durability::RangeIndexReader index,
                            durability::RangeIndexReader::Open(IndexOf(chain.back(), target, work)));
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto range, index.Next());
    if (!range) return {};
  }
}

Result<durability::ByteSource> CheckpointOf(const Chain& chain, Target& target, const durability::WriterOptions& writer,
                                            Work& work) {
  const Opened& last = chain.back();
  if (!last->manifest.parent) return SourceOf(last, target, work);
  HOLDFAST_ASSIGN_OR_RETURN(auto reader, OpenReader(chain, target, work));
  durability::CheckpointHeader header = reader->header();
  header.kind = durability::CheckpointKind::kFull;
  return durability::CheckpointOf(
      std::move(reader), std::move(header), writer,
      [last](const durability::ChainTotals& totals) { return CheckTotals(last->manifest, totals); });
}

Status ReadAll(const Chain& chain, Target& target, Work& work) {
  const Manifest& manifest = chain.back()->manifest;
  if (manifest.index.empty()) {
    const durability::ByteSource paced = [source = SourceOf(chain.back(), target, work), &work](char* buffer,
                                                                                                std::size_t size) {
      const Status rested = work.Rest();
      return rested.ok() ? source(buffer, size) : Result<std::size_t>(rested.error());
    };
    HOLDFAST_ASSIGN_OR_RETURN(const durability::ValidCheckpoint valid, durability::ValidateCheckpoint(paced));
    const bool same = valid.summary.digest == manifest.checkpoint && valid.summary.entries == manifest.entries &&
                      valid.summary.file_bytes == manifest.checkpoint_bytes;
    return same ? Status() : Status(Damaged("it holds another checkpoint than its manifest says"));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const auto reader, OpenReader(chain, target, work));
  while (true) {
    HOLDFAST_RETURN_IF_ERROR(work.Rest());
    HOLDFAST_ASSIGN_OR_RETURN(const auto items, reader->Next());
    if (items.empty()) break;
  }
  return CheckTotals(manifest, reader->totals());
}

}  // namespace holdfast::backup
