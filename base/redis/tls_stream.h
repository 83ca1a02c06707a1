// TLS 1.2 and above over a plain stream.
#pragma once

#include <memory>
#include <string>

#include "base/redis/plain_stream.h"
#include "base/tls/pem.h"

namespace holdfast::redis {

class TlsStream final : public Stream {
 public:
  // The handshake. `host` is what the certificate has to name, unless `files` say otherwise.
  static Result<std::unique_ptr<TlsStream>> Begin(std::unique_ptr<PlainStream> plain, const std::string& host,
                                                  const TlsFiles& files, Deadline deadline);

  Result<std::size_t> Write(std::string_view bytes, Deadline deadline) override;
  Result<std::size_t> Read(char* buffer, std::size_t size, Deadline deadline) override;
  bool HungUp() override;
  void ForgetInterrupt() override { plain_->ForgetInterrupt(); }

 private:
  TlsStream(std::unique_ptr<PlainStream> plain, tls::Owned<SSL_CTX> context)
      : plain_(std::move(plain)), context_(std::move(context)) {}

  Status Prepare(const std::string& host);
  // After an OpenSSL call that returned `outcome`: waits for what it wants, or says why it never will work.
  Status AwaitWish(int outcome, std::string_view doing, Deadline deadline);

  std::unique_ptr<PlainStream> plain_;
  tls::Owned<SSL_CTX> context_;
  tls::Owned<SSL> session_;  // goes before plain_, which its BIO writes to
};

}  // namespace holdfast::redis
