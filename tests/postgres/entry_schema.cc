#include "tests/postgres/entry_schema.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace holdfast::postgres_servers {

Status MakeEntrySchema(const FreshDatabase& database, const std::string& schema) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, database.Connect());
  HOLDFAST_RETURN_IF_ERROR(session.Execute("CREATE SCHEMA \"" + schema + "\"; SET search_path = \"" + schema + "\""));
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_MIGRATIONS)) {
    const std::string name = file.path().filename().string();
    const bool needed = name < "0004" || name.find("_histories.") != std::string::npos;
    if (name.ends_with(".up.sql") && needed) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& path : files) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    HOLDFAST_RETURN_IF_ERROR(session.Execute(text.str()));
  }
  return {};
}

}  // namespace holdfast::postgres_servers
