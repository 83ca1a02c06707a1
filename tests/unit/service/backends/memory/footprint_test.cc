// What entries take of the machine's memory, beside what the backend accounts for them. Sanitizers have an allocator of
// their own, so there it is not measured.
#include <gtest/gtest.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "service/backends/memory/memory_backend.h"

namespace holdfast::storage {
namespace {

std::uint64_t ResidentBytes() {
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(MemoryFootprint, AHundredThousandKeysOfAHundredBytesTakeLessThanAHundredMegabytes) {
  constexpr int kKeys = 100'000;
  malloc_trim(0);
  const std::uint64_t before = ResidentBytes();
  const std::unique_ptr<Backend> backend = MakeMemoryBackend({});
  for (int i = 0; i < kKeys; ++i) {
    const OperationResult put = ExecuteOne(
        *backend, Operation::Put("session:" + std::to_string(i), std::string(100, 'v')), Deadline::Infinite());
    ASSERT_TRUE(put.status.ok());
  }
  const std::uint64_t taken = ResidentBytes() - before;
  RecordProperty("resident_bytes", std::to_string(taken));
  EXPECT_LT(taken, 100u << 20);
  // max_bytes means what it says: the account is near what the machine gives.
  const std::uint64_t accounted = backend->statistics().bytes;
  EXPECT_GT(accounted, taken * 8 / 10) << taken;
  EXPECT_LT(accounted, taken * 13 / 10) << taken;
}

}  // namespace
}  // namespace holdfast::storage
#endif
