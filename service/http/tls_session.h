// One TLS connection over a socket that somebody else owns and waits for. Nothing here blocks; not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/tls/pem.h"
#include "service/http/http_message.h"

namespace holdfast::api {

class TlsSession {
 public:
  // The server's side. `socket` stays open as long as this lives.
  TlsSession(SSL_CTX* context, int socket);

  enum class Outcome {
    kDone,
    kWantRead,   // again when the socket is readable
    kWantWrite,  // ... writable
    kEnd,        // the peer has said that it sends no more
    kFailed,     // nothing more can be done; the peer has been sent an alert, or has gone
  };
  Outcome Handshake();
  // After the handshake. At kDone `bytes` is at least 1; of a Write it may be less than was given, and a Write that
  // wants something is repeated with the same bytes, perhaps followed by more.
  Outcome Read(std::span<char> into, std::size_t& bytes);
  Outcome Write(std::string_view from, std::size_t& bytes);
  // Says that nothing more is sent, if the socket takes it.
  void CloseNotify();

  // The certificate that the client has shown and the handshake has verified; null when it was not asked for one.
  std::unique_ptr<ClientCertificate> VerifiedClient() const;

 private:
  Outcome OutcomeOf(int result);

  tls::Owned<SSL> ssl_;
};

}  // namespace holdfast::api
