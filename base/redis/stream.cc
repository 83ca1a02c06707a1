#include "base/redis/stream.h"

#include "base/redis/plain_stream.h"
#include "base/redis/tls_stream.h"

namespace holdfast::redis {

Result<std::unique_ptr<Stream>> Stream::Connect(const Address& address, const TlsFiles* tls, Deadline deadline,
                                                const Interrupt* interrupt) {
  HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<PlainStream> plain, PlainStream::Connect(address, deadline, interrupt));
  if (tls == nullptr) return std::unique_ptr<Stream>(std::move(plain));
  HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<TlsStream> encrypted,
                            TlsStream::Begin(std::move(plain), address.host, *tls, deadline));
  return std::unique_ptr<Stream>(std::move(encrypted));
}

}  // namespace holdfast::redis
