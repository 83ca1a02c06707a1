#include <random>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

// Keys that other systems have normalised, cut, folded or confused with each other.
std::vector<std::string> AwkwardKeys() {
  std::vector<std::string> keys = {
      std::string(1, '\0'),
      std::string("a\0b", 3),
      std::string("a\0", 2),
      "a",
      "\xff",
      "\xff\xff",
      "a\xff",
      "..",
      ".",
      "../../etc/passwd",
      "/",
      "//",
      "a/b",
      "a//b",
      "a/b/",
      "%2e%2e",
      "%00",
      "+",
      " ",
      "a b",
      "A",
      "\r\n",
      "*3\r\n$3\r\nSET\r\n",
      "' OR 1=1 --",
      "50%_\\",
      "caf\xc3\xa9",   // NFC
      "cafe\xcc\x81",  // NFD, looks the same
      "\xc0\xaf",      // overlong '/'
      "\xed\xa0\x80",  // a lone surrogate
      "\xe2\x80\xae"
      "abc",  // right-to-left override
      "version_bound",
      "_default",
      std::string(1, 'x'),
      std::string(512, 'x'),
      std::string(511, 'x'),
      std::string(512, '\xff'),
      std::string(512, '\0'),
  };
  for (int byte = 0; byte < 256; ++byte) keys.push_back(std::string("byte:") + static_cast<char>(byte));
  return keys;
}

TEST_P(Conformance, KeysAreBytesAndNothingElse) {
  std::vector<Operation> puts;
  for (const std::string& key : AwkwardKeys()) puts.push_back(Operation::Put(key, "value of " + key));
  both().Execute(puts);
  both().ReadAll();
  both().ScanAll(KeyRange::All(), 50);
  for (const std::string& key : AwkwardKeys()) {
    EXPECT_EQ("ok", CodeName(both().Execute(Operation::Delete(key)).status));
    EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Get(key)).status));
  }
  both().ScanAll(KeyRange::All(), 50);
}

TEST_P(Conformance, KeysOutsideTheirLimitsAreRefusedByEveryOperation) {
  for (const std::string& key : {std::string(), std::string(513, 'x'), std::string(100'000, 'x')}) {
    for (const Operation& operation :
         {Operation::Get(key), Operation::Put(key, "v"), Operation::Delete(key), Operation::Take(key),
          Operation::Touch(key, Expiry::Never()), Operation::Increment(key, 1)}) {
      EXPECT_EQ("invalid_argument", CodeName(Run(operation).status)) << Describe(operation);
    }
    Transaction transaction;
    transaction.conditions = {{key, Precondition::Absent()}};
    EXPECT_EQ("invalid_argument", CodeName(backend().Transact(transaction, Deadline::Infinite())));
  }
  const OperationResult refused = Run(Operation::Get(std::string(513, 'x')));
  EXPECT_NE(std::string::npos, refused.status.error().message().find("limits.key"));
  EXPECT_NE(std::string::npos, refused.status.error().message().find("512"));
}

TEST_P(Conformance, ValuesOfAnySizeAndContent) {
  std::mt19937_64 random(1);
  for (const std::size_t size : {0u, 1u, 2u, 127u, 128u, 4096u, 65'537u, 1u << 20}) {
    std::string value(size, '\0');
    for (char& byte : value) byte = static_cast<char>(random());
    both().Execute(Operation::Put("k", value));
    both().Execute(Operation::Get("k"));
    both().Execute(Operation::Delete("k", Precondition::ValueIs(value)));
  }
}

TEST_P(Conformance, ALargestValueGoesInAndOneByteMoreDoesNot) {
  const std::size_t most = Limits{}.max_value_bytes;
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Put("k", std::string(most, 'v'))).status));
  both().Execute(Operation::Get("k"));
  const OperationResult refused = both().Execute(Operation::Put("k", std::string(most + 1, 'v')));
  EXPECT_EQ("resource_exhausted", CodeName(refused.status));
  EXPECT_NE(std::string::npos, refused.status.error().message().find("limits.value"));
  EXPECT_EQ(most, both().Execute(Operation::Get("k")).entry->value.size());
}

TEST_P(Conformance, AttributesHaveLimitsOfTheirOwn) {
  const Limits limits;
  Operation put = Operation::Put("k", "v");
  put.content_type = std::string(limits.max_content_type_bytes, 'c');
  put.metadata = std::string(limits.max_metadata_bytes, ' ');
  put.tags.assign(limits.max_tags, std::string(limits.max_tag_bytes, 't'));
  EXPECT_EQ("ok", CodeName(both().Execute(put).status));
  both().Execute(Operation::Get("k"));

  Operation long_type = put;
  long_type.content_type.push_back('c');
  Operation long_metadata = put;
  long_metadata.metadata.push_back(' ');
  Operation many_tags = put;
  many_tags.tags.emplace_back();
  Operation long_tag = put;
  long_tag.tags.back().push_back('t');
  for (const Operation& operation : {long_type, long_metadata, many_tags, long_tag}) {
    EXPECT_EQ("invalid_argument", CodeName(both().Execute(operation).status));
  }
}

TEST_P(Conformance, LimitsComeFromTheSettings) {
  Limits limits;
  limits.max_key_bytes = 4;
  limits.max_value_bytes = 10;
  UseLimits(limits);
  EXPECT_EQ(4u, backend().limits().max_key_bytes);
  both().Execute(Operation::Put("1234", "1234567890"));
  both().Execute(Operation::Put("12345", ""));
  both().Execute(Operation::Put("1234", "12345678901"));
  both().Execute(Operation::Get("1234"));
}

}  // namespace
}  // namespace holdfast::storage::conformance
