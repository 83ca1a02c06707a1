#include "service/http/http_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/system/system_error.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "service/http/event_loop.h"
#include "service/http/server_state.h"

namespace holdfast::api {
namespace {

using boost::asio::ip::tcp;
// How long connections at rest are left open at a shutdown, and how often it is seen whether any are.
constexpr std::chrono::milliseconds kFarewell{500};
constexpr std::chrono::milliseconds kLook{5};

using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// The first acceptor listens before it allows sharing, so that a second server on the same port fails here instead of
// silently taking half of the connections; the others join it. Throws boost::system::system_error.
Acceptor ListenOn(boost::asio::io_context& context, const tcp::endpoint& endpoint, bool first) {
  Acceptor acceptor(context);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  if (!first) acceptor.set_option(ReusePort(true));
  acceptor.bind(endpoint);
  acceptor.listen(boost::asio::socket_base::max_listen_connections);
  if (first) acceptor.set_option(ReusePort(true));
  return acceptor;
}

class HttpServerImpl final : public HttpServer {
 public:
  explicit HttpServerImpl(std::shared_ptr<ServerState> state) : state_(std::move(state)) {}
  ~HttpServerImpl() override { Shutdown(Deadline::After(std::chrono::nanoseconds{0})); }

  // Throws boost::system::system_error and std::system_error.
  void Open(tcp::endpoint endpoint, int threads) {
    for (int i = 0; i < threads; ++i) {
      auto loop = std::make_shared<EventLoop>(state_);
      Acceptor acceptor = ListenOn(loop->context(), endpoint, i == 0);
      endpoint.port(acceptor.local_endpoint().port());
      loop->Listen(std::move(acceptor));
      loops_.push_back(std::move(loop));
    }
    port_ = endpoint.port();
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      threads_.emplace_back([loop = loops_[i]] { loop->Run(); });
      pthread_setname_np(threads_.back().native_handle(), fmt::format("http-{}", i).c_str());
    }
  }

  std::uint16_t port() const override { return port_; }

  void BeginLeaving() override { state_->leaving = true; }

  void Shutdown(Deadline deadline) override {
    if (std::exchange(shut_down_, true)) return;
    BeginLeaving();
    SayFarewell(deadline);
    {
      const std::lock_guard lock(state_->mutex);
      state_->draining = true;
    }
    for (const auto& loop : loops_) loop->Drain();
    if (!threads_.empty() && !deadline.Expired()) {
      std::unique_lock lock(state_->mutex);
      state_->drained.wait_until(lock, deadline.WaitUntil(), [this] { return state_->admission.connections() == 0; });
    }
    for (const auto& loop : loops_) loop->Stop();
    for (std::thread& thread : threads_) thread.join();
    state_->handler.reset();
    state_->certificates.reset();
  }

 private:
  // Busy clients are sent away with an answer. A connection that is closed at rest may be closed under a request that
  // is on its way, of which its client does not know then whether it was done.
  void SayFarewell(Deadline deadline) const {
    const Deadline farewell = Deadline::After(kFarewell).Sooner(deadline);
    while (state_->admission.connections() != 0 && !farewell.Expired()) std::this_thread::sleep_for(kLook);
  }

  const std::shared_ptr<ServerState> state_;
  std::vector<std::shared_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
  bool shut_down_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const ServerOptions& options, std::shared_ptr<Handler> handler,
                                                      metrics::Registry& registry) {
  boost::system::error_code invalid;
  const auto address = boost::asio::ip::make_address(options.address, invalid);
  if (invalid) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("listen address \"{}\" is not an IP address; use 127.0.0.1, 0.0.0.0 or ::", options.address));
  }
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  auto state = std::make_shared<ServerState>(options.limits, std::move(handler), registry);
  auto server = std::make_unique<HttpServerImpl>(state);
  // boost::system::system_error is a std::system_error or a class of its own, by version.
  std::string reason;
  try {
    if (options.tls) {
      HOLDFAST_ASSIGN_OR_RETURN(state->certificates, TlsCertificates::Load(*options.tls, state->tls_metrics));
    }
    server->Open({address, options.port}, threads);
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const boost::system::system_error& error) {
    reason = error.code().message();
  } catch (const std::system_error& error) {
    reason = error.code().message();
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("cannot listen on {} port {}: {}; stop what is listening there or choose another port",
                           options.address, options.port, reason));
}

}  // namespace holdfast::api
