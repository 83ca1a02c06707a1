#include <gtest/gtest.h>

#include <cstdlib>

#include "service/backends/postgres/postgres_backend.h"
#include "service/migrations/value_storage.h"
#include "tests/conformance/backend_under_test.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/pgbouncer.h"

namespace holdfast::storage::conformance {
namespace {

using postgres_servers::FreshDatabase;
using postgres_servers::PgBouncer;

void MustBeOk(const Status& status) {
  if (status.ok()) return;
  ADD_FAILURE() << status.error().ToString();
  std::abort();
}

enum class Way { kTcp, kTls, kPgBouncer, kCompressed };

PgBouncer& SharedPooler() {
  static const auto pooler = [] {
    // It allows the sessions that all cases together leave it.
    auto started = PgBouncer::Start(postgres_servers::SharedServer());
    if (!started.ok()) MustBeOk(started.error());
    return std::move(*started);
  }();
  return *pooler;
}

class PostgresHarness : public Harness {
 public:
  PostgresHarness(const Limits& limits, Way way)
      : database_(postgres_servers::MigratedDatabase(way == Way::kTls ? postgres_servers::SharedTlsServer()
                                                                      : postgres_servers::SharedServer())) {
    options_.pooled = way == Way::kPgBouncer;
    options_.url = options_.pooled ? SharedPooler().Url(database_.name()) : database_.Url();
    options_.limits = limits;
    if (way == Way::kCompressed) Compress();
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
  void Compress() {
    const auto altered = migrations::ApplyValueStorage(
        {options_.url, "", "holdfast"}, {migrations::ValueCompression::kLz4, migrations::kLeastTupleTarget}, {});
    if (!altered.ok()) MustBeOk(altered.error());
  }
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

BackendUnderTest Over(const char* name, Way way) {
  return {name, [way](const Limits& limits) { return std::make_unique<PostgresHarness>(limits, way); }};
}

}  // namespace

BackendUnderTest PostgresUnderTest() {
  return Over("postgres", Way::kTcp);
}
BackendUnderTest PostgresTlsUnderTest() {
  return Over("postgres_tls", Way::kTls);
}
BackendUnderTest PostgresPgBouncerUnderTest() {
  return Over("postgres_pgbouncer", Way::kPgBouncer);
}

BackendUnderTest CompressedPostgresUnderTest() {
  return Over("postgres_compressed", Way::kCompressed);
}

}  // namespace holdfast::storage::conformance
