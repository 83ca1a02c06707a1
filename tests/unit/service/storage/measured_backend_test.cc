#include "service/storage/measured_backend.h"

#include <gtest/gtest.h>

#include <thread>

#include "service/backends/memory/memory_backend.h"

namespace holdfast::storage {
namespace {

const Deadline kNever = Deadline::Infinite();

class MeasuredBackendTest : public testing::Test {
 protected:
  double Operations(const std::string& operation, const std::string& result) {
    return registry_
        .GetCounter("holdfast_operations_total", "Operations by what became of them.",
                    {{"store", "main"}, {"backend", "db"}, {"operation", operation}, {"result", result}})
        .Value();
  }
  bool Shows(const std::string& line) { return registry_.Serialize().find(line) != std::string::npos; }

  metrics::Registry registry_;
  const std::shared_ptr<Backend> backend_ =
      MakeMeasuredBackend(std::shared_ptr(MakeMemoryBackend({})), "main", "db", registry_);
};

TEST_F(MeasuredBackendTest, CountsEveryOperationOfABatchByItsResult) {
  const std::vector<Operation> operations = {Operation::Put("a", "1"), Operation::Put("b", "1"),
                                             Operation::Get("a"),      Operation::Get("none"),
                                             Operation::Get("b"),      Operation::Put("", "")};
  std::vector<OperationResult> results(operations.size());
  backend_->Execute(operations, results, kNever);
  EXPECT_EQ("1", results[2].entry->value);
  EXPECT_EQ(2, Operations("put", "ok"));
  EXPECT_EQ(1, Operations("put", "invalid_argument"));
  EXPECT_EQ(2, Operations("get", "ok"));
  EXPECT_EQ(1, Operations("get", "not_found"));
  EXPECT_TRUE(Shows("holdfast_operation_duration_seconds_count{backend=\"db\",operation=\"get\",store=\"main\"} 3"));
  EXPECT_TRUE(Shows("holdfast_operation_duration_seconds_count{backend=\"db\",operation=\"put\",store=\"main\"} 3"));
}

TEST_F(MeasuredBackendTest, CountsTheOtherCalls) {
  EXPECT_TRUE(backend_->Scan(ScanRequest{}, kNever).ok());
  EXPECT_TRUE(backend_->Count(KeyRange::All(), kNever).ok());
  EXPECT_TRUE(backend_->DeleteRange(KeyRange::All(), kNever).ok());
  EXPECT_TRUE(backend_->Transact(Transaction{}, kNever).ok());
  for (const char* operation : {"scan", "count", "delete_range", "transact"}) EXPECT_EQ(1, Operations(operation, "ok"));
  ASSERT_TRUE(backend_->Close().ok());
  EXPECT_FALSE(backend_->Scan(ScanRequest{}, kNever).ok());
  EXPECT_EQ(1, Operations("scan", "unavailable"));
}

TEST_F(MeasuredBackendTest, ShowsEveryOperationFromTheStartAndResultsOnlyOnceTheyHappen) {
  EXPECT_TRUE(Shows("operation=\"increment\",result=\"ok\""));
  EXPECT_TRUE(Shows("holdfast_operation_duration_seconds_count{backend=\"db\",operation=\"touch\",store=\"main\"} 0"));
  EXPECT_FALSE(Shows("result=\"corruption\""));
}

TEST_F(MeasuredBackendTest, PassesOnWhatItWraps) {
  EXPECT_EQ("memory", backend_->kind());
  EXPECT_EQ("memory", backend_->capabilities().durability);
  EXPECT_EQ(512u, backend_->limits().max_key_bytes);
  EXPECT_TRUE(backend_->CheckHealth(kNever).ok());
  EXPECT_TRUE(ExecuteOne(*backend_, Operation::Put("a", "1"), kNever).status.ok());
  EXPECT_EQ(1u, backend_->statistics().entries);
}

TEST_F(MeasuredBackendTest, CountsFromManyThreads) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) EXPECT_FALSE(ExecuteOne(*backend_, Operation::Take("none"), kNever).status.ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(1000, Operations("take", "not_found"));
}

}  // namespace
}  // namespace holdfast::storage
