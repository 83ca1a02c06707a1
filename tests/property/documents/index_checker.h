// Compares every index row of a collection with every document: none missing, none orphaned, each with the document's
// expiry.
#pragma once

#include <string>
#include <vector>

#include "service/documents/collections.h"

namespace holdfast::documents {

// What is wrong, in words; empty = nothing. Indexes that are not ready may lack rows, but have none that is wrong.
// Nothing may write meanwhile.
std::vector<std::string> CheckIndexes(storage::Backend& rooms, const std::string& collection);

// Every row in the range.
std::vector<storage::KeyedEntry> AllRows(storage::Backend& rooms, const storage::KeyRange& range);

// Until nothing is left to do for the collection and for deleted ones.
void FinishMaintenance(storage::Backend& rooms, const std::string& collection);

}  // namespace holdfast::documents
