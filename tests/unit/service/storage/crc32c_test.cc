#include "service/storage/crc32c.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::storage {
namespace {

TEST(Crc32c, KnownValues) {  // RFC 3720, appendix B.4
  std::string rising;
  for (char byte = 0; byte < 32; ++byte) rising.push_back(byte);
  const std::string falling(rising.rbegin(), rising.rend());
  for (const auto& crc : {Crc32c, Crc32cPortable}) {
    EXPECT_EQ(0x8a9136aau, crc(std::string(32, '\0'), 0));
    EXPECT_EQ(0x62a8ab43u, crc(std::string(32, '\xff'), 0));
    EXPECT_EQ(0x46dd794eu, crc(rising, 0));
    EXPECT_EQ(0x113fdb5cu, crc(falling, 0));
    EXPECT_EQ(0xe3069283u, crc("123456789", 0));
    EXPECT_EQ(0u, crc("", 0));
  }
}

TEST(Crc32c, BothWaysAgreeAndChain) {
  std::mt19937_64 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string data(size, '\0');
    for (char& byte : data) byte = static_cast<char>(random());
    EXPECT_EQ(Crc32cPortable(data), Crc32c(data));
    const std::size_t cut = size == 0 ? 0 : random() % size;
    EXPECT_EQ(Crc32c(data), Crc32c(data.substr(cut), Crc32c(data.substr(0, cut))));
  }
}

}  // namespace
}  // namespace holdfast::storage
