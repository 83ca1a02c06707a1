// Sockets without manners, for the peers a well-behaved library cannot play.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace holdfast::http {

using Socket = boost::asio::ip::tcp::socket;

// Everything up to and including `end`; what came when the peer closed first.
inline std::string ReadUntil(Socket& socket, std::string_view end) {
  std::string text;
  boost::system::error_code error;
  boost::asio::read_until(socket, boost::asio::dynamic_buffer(text), std::string(end), error);
  return text;
}

inline std::string ReadToEnd(Socket& socket) {
  std::string text;
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::dynamic_buffer(text), error);
  return text;
}

// A server that runs `serve` for each connection, on a thread of its own, and closes it when that returns. What is
// still open at the end is broken off.
class RawServer {
 public:
  explicit RawServer(std::function<void(Socket&)> serve)
      : serve_(std::move(serve)),
        acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}),
        thread_([this] { Accept(); }) {}

  ~RawServer() {
    stopped_ = true;
    {
      // Wakes the accept.
      Socket socket(io_);
      boost::system::error_code error;
      socket.connect(acceptor_.local_endpoint(), error);
    }
    thread_.join();
    {
      std::lock_guard lock(mutex_);
      for (Served& served : served_) {
        if (served.socket.is_open()) ::shutdown(served.socket.native_handle(), SHUT_RDWR);
      }
    }
    for (Served& served : served_) served.thread.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  int connections() const { return connections_; }
  int closed() const { return closed_; }

 private:
  struct Served {
    explicit Served(boost::asio::io_context& io) : socket(io) {}
    Socket socket;
    std::thread thread;
  };

  void Accept() {
    while (true) {
      Served& served = served_.emplace_back(io_);
      boost::system::error_code error;
      acceptor_.accept(served.socket, error);
      if (error || stopped_) {
        served_.pop_back();
        return;
      }
      ++connections_;
      served.thread = std::thread([this, &served] {
        serve_(served.socket);
        std::lock_guard lock(mutex_);
        boost::system::error_code ignored;
        served.socket.close(ignored);
        ++closed_;
      });
    }
  }

  const std::function<void(Socket&)> serve_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> closed_ = 0;
  std::mutex mutex_;  // closing a socket, against shutting it down
  std::list<Served> served_;
  std::thread thread_;
};

// A connection of its own to a port on this machine.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(io_) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }
  void Write(std::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(socket_, boost::asio::buffer(bytes), error);
  }
  Socket& socket() { return socket_; }

 private:
  boost::asio::io_context io_;
  Socket socket_;
};

}  // namespace holdfast::http
