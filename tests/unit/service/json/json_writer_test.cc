#include "service/json/json_writer.h"

#include <nlohmann/json.hpp>

namespace holdfast::json {
namespace {

TEST(JsonWriterTest, NestsAndSeparates) {
  JsonWriter json;
  json.BeginObject().Key("a").BeginArray().EndArray().Key("b").BeginArray().Integer(-1).Unsigned(2).Bool(true);
  json.BeginObject().Key("c").Raw("null").Key("d").String("x").EndObject().EndArray().EndObject();
  EXPECT_EQ(json.Take(), std::string(R"({"a":[],"b":[-1,2,true,{"c":null,"d":"x"}]})"));
}

TEST(JsonWriterTest, IntegerEdges) {
  JsonWriter json;
  json.BeginArray().Integer(INT64_MIN).Integer(INT64_MAX).Unsigned(UINT64_MAX).EndArray();
  EXPECT_EQ(json.Take(), std::string("[-9223372036854775808,9223372036854775807,18446744073709551615]"));
}

TEST(JsonWriterTest, EveryCharacterReadsBack) {
  std::string text;
  for (int c = 0; c < 128; ++c) text.push_back(static_cast<char>(c));
  text += "éあ😀";
  std::string json;
  AppendJsonString(&json, text);
  EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), text);
  for (const char c : json) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

TEST(JsonWriterTest, AsciiJsonIsTheSameDocument) {
  const std::string json = R"({"é":"あ😀","plain":[1,"\n"]})";
  const std::string ascii = ToAsciiJson(json);
  EXPECT_TRUE(std::all_of(ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  EXPECT_EQ(nlohmann::json::parse(ascii), nlohmann::json::parse(json));
}

}  // namespace
}  // namespace holdfast::json
