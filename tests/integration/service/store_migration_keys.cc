// The case of store_migration_keys_test.cc with as many keys as are wanted:
//
//   store_migration_keys [--keys N]
//
// Ends with 1 when an acknowledged write is lost or the two backends differ at the end.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // It takes minutes: what is known is seen at once, also in a file.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  setenv("HOLDFAST_KEYS", "1000000", 0);
  for (int i = 1; i < argc; i += 2) {
    if (std::string(argv[i]) != "--keys" || i + 1 == argc) {
      std::fprintf(stderr, "usage: store_migration_keys [--keys N]\n");
      return 2;
    }
    setenv("HOLDFAST_KEYS", argv[i + 1], 1);
  }
  return RUN_ALL_TESTS();
}
