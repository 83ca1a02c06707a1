// The steps a binary knows, in order: NNNN_name.up.sql leads from step NNNN-1 to NNNN, NNNN_name.down.sql back. Built
// into the binary from the folder migrations/, or read from another folder. Immutable; safe to read from any thread.
//
// A file may say, on a line of its own:
//   -- holdfast: no-transaction   its statements cannot stand in a transaction (CREATE INDEX CONCURRENTLY). Each has to
//                                 be one of the few that may be repeated when the run was interrupted.
//   -- holdfast: destroys-data    a down file that removes what clients stored; it runs only when asked to lose data.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/sql_script.h"

namespace holdfast::migrations {

struct Script {
  std::string file;      // "0004_audit.up.sql"
  std::string checksum;  // SHA-256 of the file, hexadecimal
  bool transactional = true;
  bool destroys_data = false;
  std::vector<Statement> statements;  // at least one
};

struct Migration {
  int number = 0;  // 1, 2, 3 ...
  std::string name;
  Script up;
  Script down;
};

struct SourceFile {
  std::string_view name;
  std::string_view text;
};

class MigrationSet {
 public:
  // kInvalidArgument names the file: a name that is not NNNN_name.up.sql, a gap, a number twice, an up without a down,
  // a file without a statement, a statement that would end the step's transaction or move it to another schema.
  static Result<MigrationSet> Make(const std::vector<SourceFile>& files);
  // Every *.sql of a folder; other files are left alone.
  static Result<MigrationSet> FromFolder(const std::filesystem::path& folder);
  // What was built in. Aborts when that is wrong: it is part of the program.
  static const MigrationSet& BuiltIn();

  int latest() const { return static_cast<int>(migrations_.size()); }
  // 1 <= number <= latest().
  const Migration& at(int number) const { return migrations_[static_cast<std::size_t>(number) - 1]; }

 private:
  explicit MigrationSet(std::vector<Migration> migrations) : migrations_(std::move(migrations)) {}
  std::vector<Migration> migrations_;  // number n stands at n-1
};

}  // namespace holdfast::migrations
