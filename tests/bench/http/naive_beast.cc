// The same answer from Boost.Beast as its own examples write it: one io_context run by several threads, a strand per
// connection, http::request and http::response with string bodies, tcp_stream timeouts. What the server's own framing,
// buffers and timeouts are measured against.
//
//   bench_http_naive_beast PORT [THREADS]     serves on 127.0.0.1 until its standard input ends
#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using tcp = net::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : stream_(std::move(socket)) {}

  void Read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->Answer();
    });
  }

 private:
  void Answer() {
    response_ = http::response<http::string_body>(http::status::ok, request_.version());
    response_.set(http::field::server, "naive");
    response_.set(http::field::content_type, "text/plain");
    response_.keep_alive(request_.keep_alive());
    response_.body() = std::string(100, 'x');
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error && self->response_.keep_alive()) self->Read();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void Accept(tcp::acceptor& acceptor, net::io_context& context) {
  acceptor.async_accept(net::make_strand(context), [&](beast::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket))->Read();
    }
    Accept(acceptor, context);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
  net::io_context context(threads);
  tcp::acceptor acceptor(context, {net::ip::make_address("127.0.0.1"), port});
  Accept(acceptor, context);
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) pool.emplace_back([&] { context.run(); });
  std::cout << acceptor.local_endpoint().port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  context.stop();
  for (std::thread& thread : pool) thread.join();
  return 0;
}
