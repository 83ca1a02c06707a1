#include "service/http/response_head.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::api {
namespace {

constexpr std::string_view kDate = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

std::string Head(const Response& response, std::size_t body_bytes = 0,
                 ConnectionHeader connection = ConnectionHeader::kNone) {
  std::string out;
  AppendResponseHead(response, body_bytes, kDate, connection, out);
  return out;
}

TEST(DateHeader, IsWrittenAsRfc9110Says) {
  DateHeader date;
  EXPECT_EQ(date.At(784111777), kDate);
  EXPECT_EQ(date.At(784111778), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
  EXPECT_EQ(date.At(0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

TEST(ResponseHead, HasStatusServerDateTypeHeadersAndLength) {
  Response response;
  response.content_type = "text/plain";
  response.etag = 7;
  response.headers = {{"X-Note", "a"}};
  EXPECT_EQ(Head(response, 12),
            "HTTP/1.1 200 OK\r\nServer: holdfast\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
            "ETag: \"7\"\r\nX-Note: a\r\nContent-Length: 12\r\n\r\n");
}

TEST(ResponseHead, HasTheTypeOfTheEntryUnlessAnotherIsGiven) {
  storage::Entry entry;
  entry.content_type = "text/html";
  Response response;
  response.entry = std::make_shared<const storage::Entry>(entry);
  EXPECT_NE(Head(response).find("\r\nContent-Type: text/html\r\n"), std::string::npos);
  response.content_type = "application/json";
  EXPECT_NE(Head(response).find("\r\nContent-Type: application/json\r\n"), std::string::npos);
  response.content_type.clear();
  response.entry = std::make_shared<const storage::Entry>();
  EXPECT_NE(Head(response).find("\r\nContent-Type: application/octet-stream\r\n"), std::string::npos);
}

TEST(ResponseHead, NamesTheStatusAlsoWhenItIsNobodysOwn) {
  Response response;
  response.status = 412;
  EXPECT_EQ(Head(response).substr(0, 34), "HTTP/1.1 412 Precondition Failed\r\n");
  response.status = 299;
  EXPECT_EQ(Head(response).substr(0, 15), "HTTP/1.1 299 \r\n");
}

TEST(ResponseHead, HasNoLengthWhereNoBodyIsAllowed) {
  for (const int status : {204, 304}) {
    Response response;
    response.status = status;
    EXPECT_EQ(Head(response, 5).find("Content-Length"), std::string::npos) << status;
  }
}

TEST(ResponseHead, SaysWhatBecomesOfTheConnection) {
  EXPECT_NE(Head({}, 0, ConnectionHeader::kClose).find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(Head({}, 0, ConnectionHeader::kKeepAlive).find("\r\nConnection: keep-alive\r\n"), std::string::npos);
  EXPECT_EQ(Head({}).find("Connection"), std::string::npos);
}

TEST(ResponseHead, AStoredValueCannotAddLines) {
  Response response;
  response.content_type = std::string("text/plain\r\nSet-Cookie: a=b\0", 28);
  response.headers = {{"X-Note", "a\nb"}};
  const std::string head = Head(response);
  EXPECT_NE(head.find("Content-Type: text/plain  Set-Cookie: a=b \r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Note: a b\r\n"), std::string::npos) << head;
}

}  // namespace
}  // namespace holdfast::api
