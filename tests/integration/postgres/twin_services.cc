#include "tests/integration/postgres/twin_services.h"

#include <fmt/format.h>

#include <set>
#include <sstream>

namespace holdfast {
namespace {

using postgres_servers::Server;

void Blank(nlohmann::json& json) {
  static const std::set<std::string> kOwn = {"etag",  "created_at", "updated_at", "expires_at", "lease",
                                             "token", "trace_id",   "cursor",     "since",      "position"};
  if (json.is_object()) {
    for (auto& [name, value] : json.items()) {
      if (kOwn.count(name) != 0) {
        value = "-";
      } else {
        Blank(value);
      }
    }
  } else if (json.is_array()) {
    for (nlohmann::json& element : json) Blank(element);
  }
}

}  // namespace

std::string Comparable(const http::ClientResponse& response) {
  std::string text = fmt::format("{}\n", response.status);
  std::string type;
  for (const char* name : {"Content-Type", "Holdfast-Metadata", "Holdfast-Tags", "Retry-After"}) {
    const auto header = response.headers.find(name);
    if (header != response.headers.end()) text.append(name).append(": ").append(header->second).push_back('\n');
    if (type.empty() && header != response.headers.end()) type = header->second;
  }
  if (type.find("json") == std::string::npos) return text + response.body;
  // One document, or one on each line.
  std::istringstream lines(response.body);
  for (std::string line; std::getline(lines, line);) {
    auto json = nlohmann::json::parse(line, nullptr, false);
    Blank(json);
    text.append(json.is_discarded() ? line : json.dump()).push_back('\n');
  }
  return text;
}

TwinServicesTest::TwinServicesTest() {
  postgres_servers::ServerOptions options;
  options.parameters = {{"log_statement", "all"},
                        {"log_min_duration_statement", "0"},
                        {"log_parameter_max_length", "0"},
                        {"log_parameter_max_length_on_error", "-1"}};
  server_ = Server::Start(options).value();
  database_.emplace(*server_);
  Process::Options migrate;
  migrate.words = {"migrate", "up"};
  migrate.environment = {{"HOLDFAST_MIGRATION_URL", database_->Url()}};
  const Finished migrated = RunHoldfast(migrate);
  EXPECT_EQ(migrated.exit_code, 0) << migrated.errors;
  on_postgres_.emplace(first_folder_,
                       fmt::format("postgres, url: \"{}\", pool_max: 4, lock_timeout: 200ms", database_->Url()));
  on_memory_.emplace(second_folder_, "memory");
}

http::ClientResponse TwinServicesTest::Ask(const std::string& method, const std::string& target,
                                           const http::Headers& headers, const std::string& body) {
  http::ClientResponse answer = on_postgres_->Send(method, target, headers, body);
  const http::ClientResponse model = on_memory_->Send(method, target, headers, body);
  EXPECT_EQ(Comparable(answer), Comparable(model)) << method << " " << target << "\n" << body;
  EXPECT_NE(answer.status, 500) << method << " " << target << "\n" << body;
  return answer;
}

http::ClientResponse TwinServicesTest::AskJson(const std::string& method, const std::string& target,
                                               const std::string& body) {
  return Ask(method, target, {{"Content-Type", "application/json"}}, body);
}

std::string TwinServicesTest::Schema() const {
  return Connect()
      .Value(
          "SELECT string_agg(relkind::text || relname, ' ' ORDER BY relname) FROM pg_class "
          "WHERE relnamespace = 'holdfast'::regnamespace")
      .value();
}

}  // namespace holdfast
