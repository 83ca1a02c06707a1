#include <fmt/format.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "service/json/binary_reader.h"
#include "service/json/document_writer.h"

namespace holdfast::json {
namespace {

using namespace std::string_literals;

std::vector<std::uint8_t> BytesOf(const std::string& text) {
  return {text.begin(), text.end()};
}

nlohmann::json Oracle(Format format, const std::string& bytes) {
  return format == Format::kCbor ? nlohmann::json::from_cbor(BytesOf(bytes))
                                 : nlohmann::json::from_msgpack(BytesOf(bytes));
}

std::string OracleText(Format format, const nlohmann::json& value) {
  const auto bytes = format == Format::kCbor ? nlohmann::json::to_cbor(value) : nlohmann::json::to_msgpack(value);
  return {bytes.begin(), bytes.end()};
}

constexpr Format kFormats[] = {Format::kCbor, Format::kMessagePack};

class RandomJson {
 public:
  explicit RandomJson(std::uint64_t seed) : random_(seed) {}

  nlohmann::json Make(int depth) {
    switch (random_() % (depth > 0 ? 8 : 6)) {
      case 0:
        return nullptr;
      case 1:
        return random_() % 2 == 0;
      case 2:
        return static_cast<std::int64_t>(random_()) >> random_() % 64;
      case 3:
        return random_() >> random_() % 64;
      case 4:
        return static_cast<double>(static_cast<std::int64_t>(random_())) / 1024.0;
      case 5:
        return Text();
      case 6: {
        auto list = nlohmann::json::array();
        for (std::size_t i = random_() % 20; i > 0; --i) list.push_back(Make(depth - 1));
        return list;
      }
      default: {
        auto object = nlohmann::json::object();
        for (std::size_t i = random_() % 20; i > 0; --i) object[Text()] = Make(depth - 1);
        return object;
      }
    }
  }

 private:
  std::string Text() {
    const std::size_t sizes[] = {0, 3, 31, 32, 255, 256, 70'000};
    std::string text = random_() % 2 == 0 ? "é" : "";
    text.append(sizes[random_() % (random_() % 50 == 0 ? 7 : 6)], static_cast<char>('a' + random_() % 26));
    return text;
  }
  std::mt19937_64 random_;
};

TEST(BinaryTest, PropertyAgreesWithAnotherImplementation) {
  const char* given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", seed));
  RandomJson random(seed);
  for (int i = 0; i < 400; ++i) {
    const nlohmann::json value = random.Make(3);
    for (const Format format : kFormats) {
      // What we write, it reads; what it writes, we read.
      ASSERT_EQ(Oracle(format, Transcode(value.dump(), format)), value);
      const auto read = ParseDocument(format, OracleText(format, value));
      ASSERT_TRUE(read.ok()) << read.error().message();
      ASSERT_EQ(nlohmann::json::parse(read->ToText()), value);
    }
  }
}

TEST(BinaryTest, IntegerEdges) {
  for (const Format format : kFormats) {
    for (const std::int64_t number :
         {std::int64_t{0},      std::int64_t{23},          std::int64_t{24},          std::int64_t{127},
          std::int64_t{128},    std::int64_t{255},         std::int64_t{256},         std::int64_t{65535},
          std::int64_t{65536},  std::int64_t{4294967295},  std::int64_t{4294967296},  INT64_MAX,
          std::int64_t{-1},     std::int64_t{-24},         std::int64_t{-25},         std::int64_t{-32},
          std::int64_t{-33},    std::int64_t{-128},        std::int64_t{-129},        std::int64_t{-32768},
          std::int64_t{-32769}, std::int64_t{-2147483648}, std::int64_t{-2147483649}, INT64_MIN}) {
      auto writer = MakeWriter(format);
      writer->Integer(number);
      const std::string bytes = writer->Take();
      EXPECT_EQ(bytes, OracleText(format, number)) << number;
      const auto read = ParseDocument(format, bytes);
      ASSERT_TRUE(read.ok());
      EXPECT_EQ(read->kind, JsonValue::Kind::kInteger);
      EXPECT_EQ(read->integer, number);
    }
    auto writer = MakeWriter(format);
    writer->Unsigned(UINT64_MAX);
    const auto read = ParseDocument(format, writer->Take());
    EXPECT_EQ(read->kind, JsonValue::Kind::kNumber);
    EXPECT_EQ(read->text, "18446744073709551615");
  }
  EXPECT_EQ(ParseCbor("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff")->integer, INT64_MIN);
  EXPECT_EQ(ParseCbor("\x3b\x80\0\0\0\0\0\0\0"s)->text, "-9223372036854775809");
  EXPECT_EQ(ParseCbor("\x3b\xff\xff\xff\xff\xff\xff\xff\xff")->text, "-18446744073709551616");
}

TEST(BinaryTest, BytesStayBytes) {
  const std::string any = "\0\xff\x80 text"s;
  for (const Format format : kFormats) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{8}, std::size_t{255}, std::size_t{256}, std::size_t{65'536}}) {
      std::string bytes;
      while (bytes.size() < size) bytes += any;
      bytes.resize(size);
      auto writer = MakeWriter(format);
      ASSERT_TRUE(writer->has_bytes());
      writer->BeginObject().Key("v").Bytes(bytes).EndObject();
      const auto read = ParseDocument(format, writer->Take());
      ASSERT_TRUE(read.ok()) << read.error().message();
      EXPECT_EQ(read->Find("v")->kind, JsonValue::Kind::kBytes);
      EXPECT_TRUE(read->Find("v")->text == bytes);
      EXPECT_TRUE(HoldsBytes(*read));
    }
  }
}

TEST(BinaryTest, CborOfIndefiniteLengthAndEveryFloat) {
  // The examples of RFC 8949, appendix A.
  const std::pair<std::string, std::string> rows[] = {
      {"\xbf\x61\x61\x01\x61\x62\x9f\x02\x03\xff\xff"s, R"({"a":1,"b":[2,3]})"},
      {"\x7f\x65strea\x64ming\xff"s, R"("streaming")"},
      {"\x9f\xff"s, "[]"},
      {"\xf9\x3c\x00"s, "1.0"},
      {"\xf9\x7b\xff"s, "65504.0"},
      {"\xf9\x00\x01"s, "5.960464477539063e-08"},
      {"\xf9\x04\x00"s, "6.103515625e-05"},
      {"\xf9\xc4\x00"s, "-4.0"},
      {"\xf9\x80\x00"s, "-0.0"},
      {"\xfa\x47\xc3\x50\x00"s, "100000.0"},
      {"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"s, "1.1"},
      {"\xf6"s, "null"},
      {"\xf5"s, "true"},
  };
  for (const auto& [bytes, text] : rows) {
    const auto read = ParseCbor(bytes);
    ASSERT_TRUE(read.ok()) << text << ": " << read.error().message();
    EXPECT_EQ(nlohmann::json::parse(read->ToText()), nlohmann::json::parse(text)) << read->ToText();
  }
  EXPECT_EQ(ParseCbor("\xf9\x3c\x00"s)->kind, JsonValue::Kind::kNumber) << "a float is no integer, as 1.0 in JSON";
  EXPECT_EQ(ParseCbor("\x5f\x42\x01\x02\x43\x03\x04\x05\xff")->text, "\x01\x02\x03\x04\x05");
}

// Found by fuzzing: numbers so small that some libraries call them out of range.
TEST(BinaryTest, TheSmallestDoublesComeBack) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  for (const double number : {tiny, -tiny, 1e-312, std::numeric_limits<double>::min()}) {
    for (const Format format : kFormats) {
      const auto read = ParseDocument(format, OracleText(format, number));
      ASSERT_TRUE(read.ok()) << number << ": " << read.error().message();
      EXPECT_EQ(Oracle(format, Transcode(read->ToText(), format)).get<double>(), number) << read->text;
    }
  }
}

TEST(BinaryTest, RefusesWhatJsonWouldRefuse) {
  const std::tuple<Format, std::string, std::string> rows[] = {
      {Format::kCbor, "", "ends in the middle"},
      {Format::kCbor, "\x18", "ends in the middle"},
      {Format::kCbor, "\x62x", "ends in the middle"},
      {Format::kCbor, "\x82\x01", "ends in the middle"},
      {Format::kCbor, "\x9f\x01", "ends in the middle"},
      {Format::kCbor, "\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"},
      {Format::kCbor, "\x7b\xff\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"},
      {Format::kCbor, "\x01\x02", "behind the document"},
      {Format::kCbor, "\xa2\x61k\x01\x61k\x02", "stands twice"},
      {Format::kCbor, "\xa1\x01\x02", "not text"},
      {Format::kCbor, "\xa1\x41k\x02", "not text"},
      {Format::kCbor, "\x62\xc0\xaf", "UTF-8"},
      {Format::kCbor, "\x63\xed\xa0\x80", "UTF-8"},
      {Format::kCbor, "\xa1\x61\xff\x02", "UTF-8"},
      {Format::kCbor, "\xf9\x7e\x00"s, "NaN"},
      {Format::kCbor, "\xf9\xfc\x00"s, "NaN"},
      {Format::kCbor, "\xfa\x7f\x80\x00\x00"s, "NaN"},
      {Format::kCbor, "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"s, "NaN"},
      {Format::kCbor, "\xc1\x01", "tags"},
      {Format::kCbor, "\xf7", "simple value"},
      {Format::kCbor, "\xf8\x20", "simple value"},
      {Format::kCbor, "\xff", "break"},
      {Format::kCbor, "\x1c", "keeps for later"},
      {Format::kCbor, "\x1f", "break"},
      {Format::kCbor, "\x7f\x41x\xff", "no string"},
      {Format::kCbor, "\x7f\x7f\x61x\xff\xff", "no string"},
      {Format::kMessagePack, "", "ends in the middle"},
      {Format::kMessagePack, "\xcd\x01", "ends in the middle"},
      {Format::kMessagePack, "\xa2x", "ends in the middle"},
      {Format::kMessagePack, "\xdd\xff\xff\xff\xff", "ends in the middle"},
      {Format::kMessagePack, "\xdf\xff\xff\xff\xff", "ends in the middle"},
      {Format::kMessagePack, "\xc6\xff\xff\xff\xff", "ends in the middle"},
      {Format::kMessagePack, "\x01\x02", "behind the document"},
      {Format::kMessagePack, "\x82\xa1k\x01\xa1k\x02", "stands twice"},
      {Format::kMessagePack, "\x81\x01\x02", "not text"},
      {Format::kMessagePack, "\x81\xc4\x01k\x02", "not text"},
      {Format::kMessagePack, "\xa2\xc0\xaf", "UTF-8"},
      {Format::kMessagePack, "\xca\x7f\xc0\x00\x00"s, "NaN"},
      {Format::kMessagePack, "\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"s, "NaN"},
      {Format::kMessagePack, "\xc1", "extension"},
      {Format::kMessagePack, "\xd4\x01\x02", "extension"},
      {Format::kMessagePack, "\xc7\x01\x01\x02", "extension"},
  };
  for (const auto& [format, bytes, message] : rows) {
    const auto read = ParseDocument(format, bytes);
    ASSERT_FALSE(read.ok()) << message << ": " << nlohmann::json(BytesOf(bytes)).dump();
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_TRUE(read.error().message().find(message) != std::string::npos) << read.error().message();
  }
}

// A document of nothing but openings must end in a message, not in the stack.
TEST(BinaryTest, DepthAndNumberAreBounded) {
  const std::size_t much = 1u << 20;
  for (const char opening : {'\x81', '\x9f', '\xbf', '\x7f', '\x5f'}) {
    EXPECT_FALSE(ParseCbor(std::string(much, opening)).ok());
  }
  for (const char opening : {'\x91', '\x81', '\xdd'}) {
    EXPECT_FALSE(ParseMessagePack(std::string(much, opening)).ok());
  }
  const auto nested = [](std::size_t levels) { return std::string(levels, '\x81') + '\x01'; };
  EXPECT_TRUE(ParseCbor(nested(64)).ok());
  EXPECT_TRUE(ParseCbor(nested(65)).error().message().find("64 levels") != std::string::npos);
  EXPECT_TRUE(ParseCbor("\x83\x01\x02\x03", JsonLimits{64, 4}).ok());
  EXPECT_FALSE(ParseCbor("\x84\x01\x02\x03\x04", JsonLimits{64, 4}).ok());
}

// Whatever is thrown at the readers, they give a value or a problem; what they give can be written.
TEST(BinaryTest, PropertyDamagedDocumentsAreReadOrRefused) {
  std::mt19937_64 random(7);
  RandomJson values(7);
  for (int i = 0; i < 3000; ++i) {
    const Format format = kFormats[i % 2];
    std::string bytes = OracleText(format, values.Make(2));
    for (std::size_t k = random() % 4; k > 0 && !bytes.empty(); --k) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    const auto read = ParseDocument(format, bytes);
    if (read.ok() && !HoldsBytes(*read)) {
      EXPECT_TRUE(ParseJson(read->ToText(), JsonLimits{256, 10'000'000}).ok());
    }
  }
}

}  // namespace
}  // namespace holdfast::json
