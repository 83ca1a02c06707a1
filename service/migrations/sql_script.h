// SQL text taken apart into its statements, as PostgreSQL's own lexer would: quotes, E'' strings, dollar quoting,
// nested comments. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::migrations {

struct Statement {
  std::string text;   // without the semicolon and without comments in front
  int line = 0;       // where it begins in its file, from 1
  std::string words;  // its first words in upper case, without comments: "CREATE INDEX CONCURRENTLY IF NOT EXISTS a"

  // Its beginning on one line, for people.
  std::string Summary() const;
};

// kInvalidArgument with the line when a quote or comment is not closed. Strings are read with
// standard_conforming_strings on, which the runner sets.
Result<std::vector<Statement>> SplitStatements(std::string_view sql);

}  // namespace holdfast::migrations
