// One accepted socket with time limits on every read and write. Blocking calls of Asio know no time limit (its
// timeouts are for asynchronous calls only), so this polls the socket itself, together with a descriptor that becomes
// readable when the listener stops. Satisfies Beast's SyncReadStream. For one thread.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <string>
#include <string_view>

namespace holdfast::http {

class Connection {
 public:
  // Takes `socket` over and closes it; `stopped` stays the listener's.
  Connection(int socket, int stopped) : socket_(socket), stopped_(stopped) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until when reads may take; past it they fail with timed_out, however many bytes trickled in before.
  void SetReadDeadline(std::chrono::steady_clock::time_point deadline) { read_deadline_ = deadline; }

  template <typename MutableBuffers>
  std::size_t read_some(const MutableBuffers& buffers, boost::system::error_code& error) {
    const boost::asio::mutable_buffer first = *boost::asio::buffer_sequence_begin(buffers);
    return ReadSome(first.data(), first.size(), error);
  }
  template <typename MutableBuffers>
  std::size_t read_some(const MutableBuffers& buffers) {
    boost::system::error_code error;
    const std::size_t count = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }

  // All of it, or false: the peer has gone, or took nothing for `patience`, or the listener stops.
  bool Write(std::string_view bytes, std::chrono::milliseconds patience);
  // The peer closed its side or broke off, or the listener stops.
  bool Gone() const;
  bool Stopped() const;
  // Tells the peer that nothing follows and discards what it still sends, for a moment, so that the kernel does not
  // throw the answer away for the unread rest of a refused request (RFC 9112 section 9.6).
  void Linger();
  // "127.0.0.1:51234", "[::1]:51234".
  std::string Peer() const;

 private:
  std::size_t ReadSome(void* data, std::size_t size, boost::system::error_code& error);
  // 0 when `events` can be done, else why not.
  int WaitFor(short events, std::chrono::steady_clock::time_point until) const;

  const int socket_;
  const int stopped_;
  std::chrono::steady_clock::time_point read_deadline_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace holdfast::http
