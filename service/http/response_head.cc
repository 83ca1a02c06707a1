#include "service/http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>

namespace holdfast::api {
namespace {

constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";

// strftime would take names from the locale.
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void AppendNumber(std::size_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), result.ptr);
}

void AppendStatusLine(int status, std::string& out) {
  if (status == 200) {
    out.append(kOkLine);
    return;
  }
  const auto known = boost::beast::http::int_to_status(static_cast<unsigned>(status));
  out.append("HTTP/1.1 ");
  AppendNumber(static_cast<std::size_t>(status), out);
  out.push_back(' ');
  if (known != boost::beast::http::status::unknown) {
    const auto reason = boost::beast::http::obsolete_reason(known);
    out.append(reason.data(), reason.size());
  }
  out.append("\r\n");
}

void AppendHeader(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ");
  const std::size_t begin = out.size();
  out.append(value);
  // What is below a space is rare, so one comparison a byte is enough.
  for (std::size_t i = begin; i < out.size(); ++i) {
    const char c = out[i];
    if (c < ' ' && (c == '\r' || c == '\n' || c == '\0')) out[i] = ' ';
  }
  out.append("\r\n");
}

void AppendFields(const Response& response, std::string_view date_line, std::string& out) {
  AppendStatusLine(response.status, out);
  out.append("Server: holdfast\r\n").append(date_line);
  const std::string_view type = ContentTypeOf(response);
  if (type == kDefaultContentType) {
    out.append("Content-Type: application/octet-stream\r\n");  // no need to look at each byte
  } else if (!type.empty()) {
    AppendHeader("Content-Type", type, out);
  }
  if (response.etag != 0) {
    out.append("ETag: \"");
    AppendNumber(response.etag, out);
    out.append("\"\r\n");
  }
  for (const auto& [name, value] : response.headers) AppendHeader(name, value, out);
}

void AppendEnd(ConnectionHeader connection, std::string& out) {
  if (connection == ConnectionHeader::kClose) out.append("Connection: close\r\n");
  if (connection == ConnectionHeader::kKeepAlive) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

}  // namespace

std::string_view DateHeader::At(std::time_t now) {
  if (now != made_at_) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    line_.clear();
    fmt::format_to(std::back_inserter(line_), "Date: {}, {:02} {} {:04} {:02}:{:02}:{:02} GMT\r\n",
                   kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                   kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                   utc.tm_sec);
    made_at_ = now;
  }
  return line_;
}

void AppendResponseHead(const Response& response, std::size_t body_bytes, std::string_view date_line,
                        ConnectionHeader connection, std::string& out) {
  AppendFields(response, date_line, out);
  if (StatusHasBody(response.status)) {
    out.append("Content-Length: ");
    AppendNumber(body_bytes, out);
    out.append("\r\n");
  }
  AppendEnd(connection, out);
}

void AppendStreamHead(const Response& response, bool chunked, std::string_view date_line, ConnectionHeader connection,
                      std::string& out) {
  AppendFields(response, date_line, out);
  if (chunked && StatusHasBody(response.status)) out.append("Transfer-Encoding: chunked\r\n");
  AppendEnd(connection, out);
}

}  // namespace holdfast::api
