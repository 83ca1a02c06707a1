// A client that sends exactly the bytes it is told to, plain or through TLS, and waits with a deadline.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api::testing {

struct RawResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class RawClient {
 public:
  // `from`: the address it connects from, one of 127.0.0.0/8.
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0, const char* from = "127.0.0.1");
  RawClient(RawClient&& other) noexcept;
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  // Before anything is sent: from here on through TLS. False when the handshake fails. What the server thinks of the
  // client's certificate may only show when something is read.
  bool StartTls(SSL_CTX* context);

  // False when the server has closed the connection meanwhile.
  bool Send(std::string_view bytes);
  // Sends a request and reads an answer of that length, without an allocation of its own and without TLS; false when
  // it was not as long.
  bool Exchange(std::string_view request, std::size_t answer_bytes);
  void FinishSending();
  // Ends the connection with a reset instead of an orderly close.
  void Reset();
  // Everything up to the end of the connection, in order or by reset; nothing when the deadline passes first.
  std::optional<std::string> ReadToEnd();
  // The next response, or nothing when the connection ends or the deadline passes first. `to_head`: it has no body,
  // whatever its head says.
  std::optional<RawResponse> ReadResponse(bool to_head = false);
  // The same in parts: the head, then of a chunked body each chunk up to an empty one, the last.
  std::optional<RawResponse> ReadHead();
  std::optional<std::string> ReadChunk();
  // Exactly so many of what comes next.
  std::optional<std::string> ReadBytes(std::size_t bytes);
  // Whether anything, also the end of the connection, can be read within `wait`.
  bool Readable(std::chrono::milliseconds wait) const;

  int socket() const { return socket_; }
  // Whether the connection has ended by a reset.
  bool was_reset() const { return reset_; }
  SSL* tls() const { return tls_.get(); }

 private:
  // Appends to received_; false at the end, by deadline, or on a reset.
  bool Receive();

  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
  int socket_ = -1;
  bool ended_ = false;
  bool reset_ = false;
  std::string received_;
};

// A well-formed GET with a Host header.
std::string Get(std::string_view path, std::string_view headers = "");

}  // namespace holdfast::api::testing
