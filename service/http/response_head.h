// Writes status line and headers of a response into a buffer that the connection reuses.
#pragma once

#include <cstddef>
#include <ctime>
#include <string>
#include <string_view>

#include "service/http/http_message.h"

namespace holdfast::api {

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made anew once per second. Not thread-safe; one per I/O thread.
class DateHeader {
 public:
  std::string_view At(std::time_t now);

 private:
  std::time_t made_at_ = -1;
  std::string line_;
};

enum class ConnectionHeader { kNone, kClose, kKeepAlive };

// Whether a response of that status may carry a body and a Content-Length (RFC 9110, 6.4.1 and 8.6).
constexpr bool StatusHasBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// Appends the head with its final empty line. `body_bytes` becomes Content-Length where the status allows one. CR, LF
// and NUL in header values become spaces: a stored content type must not be able to add headers or responses.
void AppendResponseHead(const Response& response, std::size_t body_bytes, std::string_view date_line,
                        ConnectionHeader connection, std::string& out);

// The same in front of a body whose length is not known: in chunks, or up to the end of the connection.
void AppendStreamHead(const Response& response, bool chunked, std::string_view date_line, ConnectionHeader connection,
                      std::string& out);

}  // namespace holdfast::api
