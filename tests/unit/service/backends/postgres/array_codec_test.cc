#include "service/backends/postgres/array_codec.h"

#include <gtest/gtest.h>

namespace holdfast::storage::postgres {
namespace {

using Type = ArrayParameter::Type;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

TEST(ArrayParameter, IsEncodedAsTheServerReadsIt) {
  ArrayParameter array(Type::kBytea);
  array.AddBytes(std::string("a\0", 2));
  array.AddNull();
  array.AddBytes("");
  array.AddNull();  // the last one is left out
  EXPECT_EQ(Bytes({0, 0, 0, 1, 0, 0, 0, 1,   0, 0,   0,   17,  0,   0, 0, 3, 0,
                   0, 0, 1, 0, 0, 0, 2, 'a', 0, 255, 255, 255, 255, 0, 0, 0, 0}),
            array.Encoded());
}

TEST(ArrayParameter, OfNothingHasNoDimension) {
  ArrayParameter array(Type::kBigint);
  array.AddNull();
  EXPECT_EQ(Bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20}), array.Encoded());
}

TEST(ArrayParameter, NumbersAreBigEndian) {
  ArrayParameter array(Type::kBigint);
  array.AddBigint(-2);
  EXPECT_EQ(Bytes({0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254}), array.Encoded().substr(20));
  ArrayParameter small(Type::kSmallint);
  small.AddSmallint(258);
  EXPECT_EQ(Bytes({0, 0, 0, 2, 1, 2}), small.Encoded().substr(20));
}

TEST(Bytea, IsReadFromHexAndNothingElse) {
  EXPECT_EQ(Bytes({0, 255, 'a'}), DecodeBytea("\\x00fF61"));
  EXPECT_EQ("", DecodeBytea("\\x"));
  for (const char* wrong : {"", "00", "\\x0", "\\x0g", "\\xZZ", "x00"}) EXPECT_FALSE(DecodeBytea(wrong)) << wrong;
}

TEST(ByteaList, GoesThereAndBack) {
  using List = std::vector<std::string>;
  for (const List& list : {List{}, List{""}, List{"a", "", "\xff,\"}"}, List{std::string(1, '\0')}}) {
    EXPECT_EQ(list, DecodeByteaList(EncodeByteaList(list)));
  }
  for (const char* wrong : {"", "{", "{a}", "{\"\\\\x61\"", "{\"\\\\x61\",}", "{\"\\\\x6\"}", "{\"\\\\x61\"x}"}) {
    EXPECT_FALSE(DecodeByteaList(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace holdfast::storage::postgres
