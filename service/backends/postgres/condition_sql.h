// The conditions of a filter as a condition in SQL on a row `e` of entries. Its text depends on fields, operators and
// kinds of literals only; paths and values are parameters. It holds for every row for which the filter holds
// (service/query/evaluate.h), and for others only where a row's attributes are unclear (migrations/0016_attributes) or
// a segment of a path could be the place in an array.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "service/storage/scan_filter.h"

namespace holdfast::storage::postgres {

struct ConditionSql {
  std::string text;
  std::vector<pqxx::binarystring> parameters;
  bool indexed = false;  // an index finds the rows for which it holds, or some more
};

// `first`: the number of its first parameter, 1 for $1.
ConditionSql MakeConditionSql(const std::vector<EntryCondition>& conditions, int first);

}  // namespace holdfast::storage::postgres
