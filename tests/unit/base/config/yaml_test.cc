#include "base/config/yaml.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <random>

namespace holdfast::config {
namespace {

using nlohmann::json;

json One(std::string_view text) {
  const Result<std::vector<json>> documents = ParseYamlDocuments(text, "m.yaml");
  if (!documents.ok()) {
    ADD_FAILURE() << documents.error().ToString();
    return {};
  }
  EXPECT_EQ(documents->size(), 1u);
  return documents->empty() ? json() : documents->front();
}

std::string ErrorOf(std::string_view text) {
  const Result<std::vector<json>> documents = ParseYamlDocuments(text, "m.yaml");
  if (documents.ok()) return "none";
  EXPECT_EQ(documents.error().code(), ErrorCode::kInvalidArgument);
  return documents.error().message();
}

TEST(ParseYamlDocuments, PlainScalarsHaveTheTypesOfTheCoreSchema) {
  const json document = One(
      "null1: null\nnull2: ~\nnull3:\nyes: yes\nt: true\nf: False\ni: 42\nneg: -7\nplus: +7\nhex: 0x1F\noct: 0o644\n"
      "float: 1.5\nexp: 1e3\ndot: .5\nbig: 18446744073709551615\nword: 1.2.3\nq1: '42'\nq2: \"true\"\ntag: !!str 42\n"
      "time: 12:30\nversion: v1\n");
  EXPECT_EQ(document, json::parse(R"({"null1":null,"null2":null,"null3":null,"yes":"yes","t":true,"f":false,"i":42,
      "neg":-7,"plus":7,"hex":31,"oct":420,"float":1.5,"exp":1000.0,"dot":0.5,"big":18446744073709551615,
      "word":"1.2.3","q1":"42","q2":"true","tag":"42","time":"12:30","version":"v1"})"));
  EXPECT_TRUE(document["i"].is_number_integer());
  EXPECT_TRUE(document["exp"].is_number_float());
}

TEST(ParseYamlDocuments, LeavesEmptyDocumentsOut) {
  const Result<std::vector<json>> documents =
      ParseYamlDocuments("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n", "m.yaml");
  ASSERT_TRUE(documents.ok()) << documents.error().ToString();
  EXPECT_EQ(*documents, (std::vector<json>{{{"a", 1}}, {{"b", 2}}}));
  EXPECT_TRUE(ParseYamlDocuments("", "m.yaml")->empty());
}

TEST(ParseYamlDocuments, RefusesWithThePlace) {
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\n"), "m.yaml:3:1: the key 'a' is there twice");
  EXPECT_EQ(ErrorOf("x: {a: 1, a: 2}\n"), "m.yaml:1:11: the key 'a' is there twice");
  EXPECT_EQ(ErrorOf("a: &x [1]\nb: *x\n"), "m.yaml:2:4: aliases are not accepted; repeat the value");
  EXPECT_EQ(ErrorOf("mode: 0644\n"),
            "m.yaml:1:7: '0644' is octal to some readers and decimal to others; write 0o644 or quote it");
  EXPECT_EQ(ErrorOf("a: .inf\n"), "m.yaml:1:4: '.inf' cannot be written in JSON");
  EXPECT_EQ(ErrorOf("a: 99999999999999999999999\n"),
            "m.yaml:1:4: '99999999999999999999999' is too large for an integer");
  EXPECT_EQ(ErrorOf("a: !!binary aGk=\n"), "m.yaml:1:4: the tag tag:yaml.org,2002:binary is not accepted");
  EXPECT_EQ(ErrorOf("? [a]\n: 1\n"), "m.yaml:1:3: a key must be a word, not a list, a map or nothing");
  EXPECT_EQ(ErrorOf("a: b: c\n").substr(0, 9), "m.yaml:1:");
  EXPECT_EQ(ErrorOf("a: [1\nb: 2\n").substr(0, 7), "m.yaml:");
}

TEST(ParseYamlDocuments, NestingIsBounded) {
  EXPECT_NE(ErrorOf(std::string(100'000, '[')).find("m.yaml:1:"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(65, '[') + std::string(65, ']')).find("nested deeper than 64"), std::string::npos);
  EXPECT_EQ(ErrorOf(std::string(64, '[') + std::string(64, ']')), "none");
}

TEST(ToYaml, Golden) {
  const json document = json::parse(R"({
      "spec": {"ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 9090}], "selector": {}, "args": [],
               "template": {"metadata": {"labels": {"app": "holdfast"}}}},
      "kind": "Service", "apiVersion": "v1", "metadata": {"name": "main", "annotations": {"a/b": "true", "n": "1"}},
      "data": {"config": "listen:\n  port: 1\n\nlog: {}\n", "note": "no end\nhere", "odd": " lead\n", "bell": "a\u0007"},
      "matrix": [[1, 2], [], [[3]]], "ratio": 0.5, "on": "off", "none": null})");
  EXPECT_EQ(ToYaml(document), R"(apiVersion: v1
kind: Service
metadata:
  annotations:
    a/b: "true"
    "n": "1"
  name: main
data:
  bell: "a\x07"
  config: |
    listen:
      port: 1

    log: {}
  note: |-
    no end
    here
  odd: " lead\n"
matrix:
- - 1
  - 2
- []
- - - 3
none: null
"on": "off"
ratio: 0.5
spec:
  args: []
  ports:
  - name: http
    port: 8080
  - name: admin
    port: 9090
  selector: {}
  template:
    metadata:
      labels:
        app: holdfast
)");
}

TEST(ToYaml, WhatLooksLikeSomethingElseIsQuoted) {
  for (const std::string text : {"",
                                 "null",
                                 "~",
                                 "true",
                                 "No",
                                 "y",
                                 "OFF",
                                 "1",
                                 "1.5",
                                 "0x1f",
                                 "1_000",
                                 "12:30:45",
                                 "2026-11-21",
                                 ".5",
                                 "-",
                                 "- a",
                                 "a: b",
                                 "a #b",
                                 "#a",
                                 "&a",
                                 "*a",
                                 "!a",
                                 "%a",
                                 "@a",
                                 "`a",
                                 "'a'",
                                 "\"a\"",
                                 "[a]",
                                 "{a}",
                                 " a",
                                 "a ",
                                 "a:",
                                 "|",
                                 ">",
                                 "? a",
                                 "\t",
                                 "\n",
                                 "\n\n",
                                 "a\n",
                                 "a\n\n",
                                 "a \nb",
                                 "\x01",
                                 "gr\xC3\xBC\xC3\x9F",
                                 "\xC2\x85",
                                 "\xE2\x80\xA8",
                                 "---",
                                 "...",
                                 "=",
                                 "<<",
                                 "a\r\nb",
                                 "\xEF\xBB\xBF"}) {
    const json document{{"key", text}, {text, 1}, {"list", {text}}};
    const Result<std::vector<json>> again = ParseYamlDocuments(ToYaml(document), "again");
    ASSERT_TRUE(again.ok()) << ToYaml(document) << again.error().ToString();
    ASSERT_EQ(again->size(), 1u);
    EXPECT_EQ(again->front(), document) << ToYaml(document);
  }
}

json RandomJson(std::mt19937_64& random, int depth) {
  constexpr std::string_view kPieces[] = {"a", " ", "\n", ":", "#", "-", "'",        "\"",   "\\", "1", "true", "\t",
                                          "[", "]", "{",  "}", "|", ">", "\xC3\xBC", "\x1b", ", ", "~", "0x",   "\r"};
  const auto text = [&] {
    std::string made;
    for (std::uint64_t pieces = random() % 8; pieces > 0; --pieces) made += kPieces[random() % std::size(kPieces)];
    return made;
  };
  switch (random() % (depth > 0 ? 7 : 5)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return static_cast<std::int64_t>(random());
    case 3:
      return static_cast<double>(static_cast<std::int64_t>(random())) / 1e10;
    case 4:
      return text();
    case 5: {
      json array = json::array();
      for (std::uint64_t items = random() % 4; items > 0; --items) array.push_back(RandomJson(random, depth - 1));
      return array;
    }
    default: {
      json object = json::object();
      for (std::uint64_t items = random() % 4; items > 0; --items) object[text()] = RandomJson(random, depth - 1);
      return object;
    }
  }
}

TEST(ToYaml, AnyJsonIsReadBackTheSame) {
  const char* seed_text = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = seed_text == nullptr ? 1 : std::stoull(seed_text);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const json document{{"document", RandomJson(random, 4)}};
    const Result<std::vector<json>> again = ParseYamlDocuments(ToYaml(document), "again");
    ASSERT_TRUE(again.ok()) << ToYaml(document) << again.error().ToString();
    ASSERT_EQ(again->size(), 1u);
    ASSERT_EQ(again->front(), document) << ToYaml(document);
  }
}

}  // namespace
}  // namespace holdfast::config
