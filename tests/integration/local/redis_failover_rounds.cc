// The rounds of redis_failover_test.cc in the number that is wanted:
//
//   redis_failover_rounds [--rounds N] [--seed N]
//
// Ends with 1 when more is lost, or two servers take writes for longer, than is documented. HOLDFAST_SEED is the
// default of --seed.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

int main(int argc, char** argv) {
  testing::GTEST_FLAG(filter) = "*KilledMasters*";
  testing::InitGoogleTest(&argc, argv);
  const std::map<std::string, const char*> options = {{"--rounds", "HOLDFAST_ROUNDS"}, {"--seed", "HOLDFAST_SEED"}};
  setenv("HOLDFAST_ROUNDS", "20", 0);
  for (int i = 1; i < argc; i += 2) {
    const auto option = options.find(argv[i]);
    if (option == options.end() || i + 1 == argc) {
      std::fprintf(stderr, "usage: redis_failover_rounds [--rounds N] [--seed N]\n");
      return 2;
    }
    setenv(option->second, argv[i + 1], 1);
  }
  return RUN_ALL_TESTS();
}
