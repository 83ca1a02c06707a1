#include "service/migrations/migration_set.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <sstream>

#include "service/migrations/built_in_files.h"

namespace holdfast::migrations {
namespace {

Error Wrong(std::string_view file, std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("migration {}: {}", file, what)};
}

std::string Sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

bool BeginsWithOneOf(const std::string& words, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view beginning) {
    return words.starts_with(beginning) && (words.size() == beginning.size() || words[beginning.size()] == ' ');
  });
}

// One that ends the transaction would let half a step stay without its record.
Status CheckStatement(const Script& script, const Statement& statement) {
  const auto wrong = [&](std::string_view what) {
    return Wrong(script.file, fmt::format("line {}: {}: {}", statement.line, statement.Summary(), what));
  };
  if (BeginsWithOneOf(statement.words, {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE TRANSACTION",
                                        "SAVEPOINT", "RELEASE"})) {
    return wrong("the runner itself begins and ends the transaction of a step; leave this out");
  }
  if (BeginsWithOneOf(statement.words, {"SET", "RESET", "DISCARD"})) {
    return wrong("a setting would outlive its step; leave this out (functions: SET search_path FROM CURRENT)");
  }
  if (script.transactional) {
    if (statement.words.find(" CONCURRENTLY") != std::string::npos || BeginsWithOneOf(statement.words, {"VACUUM"})) {
      return wrong("cannot stand in a transaction; give the file the line `-- holdfast: no-transaction`");
    }
    return {};
  }
  if (!BeginsWithOneOf(statement.words,
                       {"CREATE INDEX CONCURRENTLY IF NOT EXISTS", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS",
                        "DROP INDEX CONCURRENTLY IF EXISTS", "VACUUM", "ANALYZE"})) {
    return wrong(
        "cannot be repeated after an interruption; without a transaction only CREATE INDEX CONCURRENTLY IF NOT EXISTS, "
        "DROP INDEX CONCURRENTLY IF EXISTS, VACUUM and ANALYZE may stand");
  }
  return {};
}

Status ReadMarks(std::string_view text, Script* script) {
  constexpr std::string_view kMark = "-- holdfast:";
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kMark)) continue;
    std::string mark = line.substr(kMark.size());
    mark.erase(0, mark.find_first_not_of(' '));
    mark.erase(mark.find_last_not_of(" \r") + 1);
    if (mark == "no-transaction") {
      script->transactional = false;
    } else if (mark == "destroys-data") {
      script->destroys_data = true;
    } else {
      return Wrong(script->file, fmt::format("unknown mark \"{}\"; there are no-transaction and destroys-data", mark));
    }
  }
  return {};
}

Result<Script> ReadScript(const SourceFile& file) {
  Script script;
  script.file = file.name;
  script.checksum = Sha256(file.text);
  HOLDFAST_RETURN_IF_ERROR(ReadMarks(file.text, &script));
  auto statements = SplitStatements(file.text);
  if (!statements.ok()) return Wrong(file.name, statements.error().message());
  script.statements = std::move(statements).value();
  if (script.statements.empty()) return Wrong(file.name, "holds no statement");
  for (const Statement& statement : script.statements) {
    HOLDFAST_RETURN_IF_ERROR(CheckStatement(script, statement));
  }
  return script;
}

struct Halves {
  std::string name;
  std::optional<Script> up;
  std::optional<Script> down;
};

}  // namespace

Result<MigrationSet> MigrationSet::Make(const std::vector<SourceFile>& files) {
  static const std::regex kName("([0-9]{4})_([a-z0-9_]{1,60})\\.(up|down)\\.sql");
  std::map<int, Halves> found;
  for (const SourceFile& file : files) {
    const std::string file_name(file.name);
    std::smatch match;
    if (!std::regex_match(file_name, match, kName)) {
      return Wrong(file.name, "the name must be NNNN_name.up.sql or NNNN_name.down.sql, in lower case");
    }
    Halves& halves = found[std::stoi(match[1])];
    if (!halves.name.empty() && halves.name != match[2].str()) {
      return Wrong(file.name, fmt::format("number {} is also that of {}", match[1].str(), halves.name));
    }
    halves.name = match[2];
    HOLDFAST_ASSIGN_OR_RETURN((match[3] == "up" ? halves.up : halves.down), ReadScript(file));
  }
  std::vector<Migration> migrations;
  for (auto& [number, halves] : found) {
    const std::string file = fmt::format("{:04}_{}", number, halves.name);
    if (number != static_cast<int>(migrations.size()) + 1) {
      return Wrong(file, fmt::format("number {:04} is missing in front of it", migrations.size() + 1));
    }
    if (!halves.up) return Wrong(file, "there is a down file and no up file");
    if (!halves.down) return Wrong(file, "there is an up file and no down file");
    // What was interrupted half-way may be taken up in either direction: then both scripts have to be repeatable.
    if (halves.up->transactional != halves.down->transactional) {
      return Wrong(file, "when one of the two files is marked no-transaction, the other has to be, too");
    }
    migrations.push_back({number, halves.name, std::move(*halves.up), std::move(*halves.down)});
  }
  return MigrationSet(std::move(migrations));
}

Result<MigrationSet> MigrationSet::FromFolder(const std::filesystem::path& folder) {
  const auto unreadable = [](const std::filesystem::path& path, const std::string& why) {
    return Error(ErrorCode::kNotFound, fmt::format("cannot read {}: {}", path.string(), why));
  };
  std::error_code error;
  std::map<std::string, std::string> texts;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".sql") continue;
    std::ifstream file(entry->path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return unreadable(entry->path(), "not a readable file, or empty");
    texts.emplace(entry->path().filename().string(), text.str());
  }
  if (error) return unreadable(folder, error.message());
  if (texts.empty()) return unreadable(folder, "it holds no *.sql file");
  std::vector<SourceFile> files;
  for (const auto& [name, text] : texts) files.push_back({name, text});
  return Make(files);
}

const MigrationSet& MigrationSet::BuiltIn() {
  static const MigrationSet set = [] {
    auto made = Make(BuiltInFiles());
    if (!made.ok()) {
      fmt::print(stderr, "holdfast: built-in {}\n", made.error().message());
      std::abort();
    }
    return std::move(made).value();
  }();
  return set;
}

}  // namespace holdfast::migrations
