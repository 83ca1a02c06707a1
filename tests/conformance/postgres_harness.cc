#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "service/backends/postgres/postgres_backend.h"
#include "tests/conformance/backend_under_test.h"
#include "tests/postgres/shared_server.h"

namespace holdfast::storage::conformance {
namespace {

using postgres_servers::FreshDatabase;

void MustBeOk(const Status& status) {
  if (status.ok()) return;
  ADD_FAILURE() << status.error().ToString();
  std::abort();
}

// The steps that the backend stands on.
void MakeSchema(const FreshDatabase& database, const std::string& schema) {
  auto session = database.Connect();
  if (!session.ok()) MustBeOk(session.error());
  MustBeOk(session->Execute("CREATE SCHEMA " + schema + "; SET search_path = " + schema));
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_MIGRATIONS)) {
    const std::string name = file.path().filename().string();
    if (name.ends_with(".up.sql") && name < "0004") files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& path : files) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    MustBeOk(session->Execute(text.str()));
  }
}

class PostgresHarness : public Harness {
 public:
  explicit PostgresHarness(const Limits& limits) {
    MakeSchema(database_, options_.schema);
    options_.url = database_.Url();
    options_.limits = limits;
    Open();
  }
  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return clock_; }
  bool Reopen() override {
    backend_.reset();
    Open();
    return true;
  }

 private:
  void Open() {
    Result<std::unique_ptr<Backend>> backend = OpenPostgresBackend(options_, &clock_);
    if (!backend.ok()) MustBeOk(backend.error());
    backend_ = std::move(*backend);
    MustBeOk(backend_->CheckHealth(Deadline::After(std::chrono::seconds{20})));
  }

  ManualClock clock_;
  FreshDatabase database_;
  PostgresOptions options_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace

BackendUnderTest PostgresUnderTest() {
  return {"postgres", [](const Limits& limits) { return std::make_unique<PostgresHarness>(limits); }};
}

}  // namespace holdfast::storage::conformance
