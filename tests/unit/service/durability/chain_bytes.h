// Backups and the increments on them in memory, for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/durability/chain_reader.h"
#include "service/durability/indexed_export.h"
#include "tests/unit/service/durability/checkpoint_bytes.h"

namespace holdfast::durability {

// What stands in place of the SHA-256 of a manifest.
inline Digest DigestOf(std::string_view bytes) {
  Sha256Stream stream;
  stream.Add(bytes);
  return stream.Finish();
}

struct WrittenLink {
  std::string data;
  std::string index;
  IndexedSummary summary;
  Digest parent{};
};
using WrittenChain = std::vector<WrittenLink>;

// The next link of the chain: a full one where there is none, otherwise an increment.
inline WrittenLink ExportNext(storage::Backend& backend, const WrittenChain& chain) {
  WrittenLink link;
  CheckpointHeader header = SomeHeader();
  IndexedExportOptions options;
  options.writer.threads = 1;
  if (!chain.empty()) {
    link.parent = DigestOf(chain.back().data);
    header.parent = link.parent;
    options.link = static_cast<std::uint8_t>(chain.size());
    options.parent = SourceOf(chain.back().index);
  }
  const auto into = [](std::string* bytes) {
    return [bytes](std::string_view some) {
      *bytes += some;
      return Status();
    };
  };
  auto summary = ExportIndexed(backend, header, options, {into(&link.data), into(&link.index)});
  EXPECT_TRUE(summary.ok()) << summary.error().ToString();
  if (summary.ok()) link.summary = std::move(summary).value();
  return link;
}

inline Result<std::unique_ptr<ChainReader>> OpenChainReader(const WrittenChain& chain, std::size_t piece = 100'000) {
  std::vector<ChainLink> links;
  for (const WrittenLink& link : chain) {
    links.push_back({SourceOf(link.data, piece), link.parent, link.summary.data.digest});
  }
  return ChainReader::Open(SourceOf(chain.back().index, piece), std::move(links));
}

// With what a manifest says of the totals.
inline Result<std::vector<storage::KeyedEntry>> ReadChain(const WrittenChain& chain, std::size_t piece = 100'000) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto reader, OpenChainReader(chain, piece));
  std::vector<storage::KeyedEntry> all;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(auto some, reader->Next());
    for (storage::KeyedEntry& item : some) all.push_back(std::move(item));
    if (some.empty()) break;
  }
  const ChainTotals totals = reader->totals();
  const IndexedSummary& said = chain.back().summary;
  const bool same =
      totals.entries == said.entries && totals.entry_bytes == said.entry_bytes && totals.content == said.content;
  if (!same) return Damaged("totals");
  return all;
}

}  // namespace holdfast::durability
