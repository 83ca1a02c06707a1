// Where an item of a CBOR sequence ends, at every place at which it may be cut.
#include "service/json/cbor_sequence.h"

#include <gtest/gtest.h>

#include "service/json/binary_reader.h"
#include "service/json/binary_writer.h"

namespace holdfast::json {
namespace {

using namespace std::string_literals;

std::string Item() {
  BinaryWriter writer(Format::kCbor);
  writer.BeginObject().Key("key").Bytes("k\xff").Key("size").Unsigned(70'000);
  writer.Key("metadata").Raw(R"({"a":[1,-2.5,null,true,{"b":[]}]})").Key("value").Bytes(std::string(300, 'v'));
  writer.EndObject();
  return writer.Take();
}

void ExpectSize(const std::string& item) {
  for (std::size_t cut = 0; cut < item.size(); ++cut) {
    const auto size = CborItemSize(std::string_view(item).substr(0, cut));
    ASSERT_TRUE(size.ok()) << cut;
    EXPECT_EQ(0u, *size) << cut;
  }
  for (const std::string& behind : {""s, item, "\xff\xff"s}) EXPECT_EQ(item.size(), *CborItemSize(item + behind));
}

TEST(CborSequence, EndsWhereTheItemEnds) {
  ExpectSize(Item());
  for (const std::string& item : {"\x00"s, "\x18\x20"s, "\x60"s, "\x80"s, "\xa0"s, "\xf6"s, "\xfb\0\0\0\0\0\0\0\0"s,
                                  "\xc1\x1a\0\0\0\0"s, "\x82\x01\x82\x02\x03"s}) {
    ExpectSize(item);
  }
}

TEST(CborSequence, EndsAtTheBreakOfWhatHasNoLength) {
  for (const std::string& item : {"\x9f\xff"s, "\x9f\x01\x9f\xff\x02\xff"s, "\xbf\x61\x61\x9f\xff\xff"s,
                                  "\x5f\x41\x61\x41\x62\xff"s, "\x82\x9f\xff\x01"s}) {
    ExpectSize(item);
  }
}

TEST(CborSequence, OfWhatIsNoCborIsAnError) {
  for (const std::string& bytes :
       {"\x1c"s, "\x9e"s, "\xbb\xff\xff\xff\xff\xff\xff\xff\xff"s, std::string(100, '\x81')}) {
    EXPECT_FALSE(CborItemSize(bytes).ok());
  }
  // A string as long as no memory is: it goes on behind the end.
  EXPECT_EQ(0u, *CborItemSize("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"s));
}

TEST(CborSequence, AgreesWithTheReader) {
  const std::string item = Item();
  EXPECT_TRUE(ParseCbor(std::string_view(item).substr(0, *CborItemSize(item + item))).ok());
}

}  // namespace
}  // namespace holdfast::json
