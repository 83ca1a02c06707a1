#include "service/api/byte_range.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace holdfast::api {
namespace {

constexpr ByteRange kWhole{};
constexpr ByteRange kNone{ByteRange::Kind::kUnsatisfiable, 0, 0};
constexpr ByteRange Part(std::size_t first, std::size_t length) {
  return {ByteRange::Kind::kPart, first, length};
}

const std::string kHuge(100, '9');

TEST(ByteRangeTest, FromAByteToAByte) {
  EXPECT_EQ(SelectBytes("bytes=0-0", 10), Part(0, 1));
  EXPECT_EQ(SelectBytes("bytes=2-5", 10), Part(2, 4));
  EXPECT_EQ(SelectBytes("bytes=9-9", 10), Part(9, 1));
  EXPECT_EQ(SelectBytes("bytes=0-9", 10), Part(0, 10));
  EXPECT_EQ(SelectBytes("bytes=0002-0005", 10), Part(2, 4));
  EXPECT_EQ(SelectBytes("BYTES=2-5", 10), Part(2, 4)) << "units are case-insensitive";
}

TEST(ByteRangeTest, ALastByteBehindTheEndIsTheEnd) {
  EXPECT_EQ(SelectBytes("bytes=2-10", 10), Part(2, 8));
  EXPECT_EQ(SelectBytes("bytes=2-18446744073709551615", 10), Part(2, 8));
  EXPECT_EQ(SelectBytes("bytes=2-18446744073709551616", 10), Part(2, 8));
  EXPECT_EQ(SelectBytes("bytes=2-" + kHuge, 10), Part(2, 8));
}

TEST(ByteRangeTest, OpenEnd) {
  EXPECT_EQ(SelectBytes("bytes=0-", 10), Part(0, 10));
  EXPECT_EQ(SelectBytes("bytes=9-", 10), Part(9, 1));
}

TEST(ByteRangeTest, Suffix) {
  EXPECT_EQ(SelectBytes("bytes=-1", 10), Part(9, 1));
  EXPECT_EQ(SelectBytes("bytes=-10", 10), Part(0, 10));
  EXPECT_EQ(SelectBytes("bytes=-11", 10), Part(0, 10));
  EXPECT_EQ(SelectBytes("bytes=-" + kHuge, 10), Part(0, 10));
  EXPECT_EQ(SelectBytes("bytes=-0", 10), kNone);
}

TEST(ByteRangeTest, BehindTheEndThereIsNothing) {
  EXPECT_EQ(SelectBytes("bytes=10-", 10), kNone);
  EXPECT_EQ(SelectBytes("bytes=10-20", 10), kNone);
  EXPECT_EQ(SelectBytes("bytes=18446744073709551616-", 10), kNone);
  EXPECT_EQ(SelectBytes("bytes=" + kHuge + "-" + kHuge, 10), kNone);
  EXPECT_EQ(SelectBytes("bytes=" + kHuge + "-", std::numeric_limits<std::size_t>::max()), kNone);
}

TEST(ByteRangeTest, OfAnEmptyValue) {
  EXPECT_EQ(SelectBytes("bytes=0-", 0), kNone);
  EXPECT_EQ(SelectBytes("bytes=0-0", 0), kNone);
  EXPECT_EQ(SelectBytes("bytes=-0", 0), kNone);
  EXPECT_EQ(SelectBytes("bytes=-5", 0), kWhole) << "satisfiable, and no Content-Range could say it";
}

TEST(ByteRangeTest, FirstBehindLastIsMalformed) {
  EXPECT_EQ(SelectBytes("bytes=5-2", 10), kWhole);
  EXPECT_EQ(SelectBytes("bytes=20-10", 10), kWhole);
  EXPECT_EQ(SelectBytes("bytes=" + kHuge + "-0" + kHuge.substr(1), 10), kWhole) << "also beyond 64 bits";
}

TEST(ByteRangeTest, WhatIsMalformedCountsAsAbsent) {
  for (const char* range : {"", "bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=5", "bytes=a-b", "bytes=0x1-2",
                            "bytes=+1-2", "bytes=1-2-3", "bytes=-1-2", "bytes= 1-2", "bytes=1 -2", "bytes=1- 2",
                            "bytes=1-2 ", "bytes 1-2", "bytes=1.0-2", "=1-2", "1-2"}) {
    EXPECT_EQ(SelectBytes(range, 10), kWhole) << range;
  }
}

TEST(ByteRangeTest, OtherUnitsAndSeveralRangesCountAsAbsent) {
  for (const char* range : {"items=0-1", "byte=0-1", "bytess=0-1", "bytes=0-1,3-4", "bytes=0-1, -2", "bytes=-1,0-"}) {
    EXPECT_EQ(SelectBytes(range, 10), kWhole) << range;
  }
}

}  // namespace
}  // namespace holdfast::api
