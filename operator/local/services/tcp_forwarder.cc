#include "operator/local/services/tcp_forwarder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <utility>

namespace holdfast::local {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCodeOf = boost::system::error_code;

constexpr std::size_t kBufferBytes = 32 * 1024;

// One connection of a client and its connection to a target, on the forwarder's thread. Lives as long as something of
// it is under way.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket client, ForwardTarget target)
      : client_(std::move(client)), server_(client_.get_executor()), target_(std::move(target)) {}

  void Start() {
    ErrorCodeOf error;
    tcp::endpoint place(asio::ip::make_address(target_.address, error), target_.port);
    if (error) return Reset();
    server_.async_connect(place, [self = shared_from_this()](ErrorCodeOf failed) {
      if (failed) return self->Reset();
      for (tcp::socket* each : {&self->client_, &self->server_}) {
        ErrorCodeOf ignored;
        each->set_option(tcp::no_delay(true), ignored);
      }
      self->Pass(self->client_, self->server_, self->upstream_);
      self->Pass(self->server_, self->client_, self->downstream_);
    });
  }

  void Reset() {
    ErrorCodeOf ignored;
    for (tcp::socket* each : {&client_, &server_}) {
      if (!each->is_open()) continue;
      // Zero seconds of lingering are a reset: nobody must take what was cut for an orderly end.
      each->set_option(asio::socket_base::linger(true, 0), ignored);
      each->close(ignored);
    }
  }

  const ForwardTarget& target() const { return target_; }

 private:
  using Buffer = std::array<char, kBufferBytes>;

  void Pass(tcp::socket& from, tcp::socket& to, Buffer& buffer) {
    from.async_read_some(asio::buffer(buffer),
                         [this, self = shared_from_this(), &from, &to, &buffer](ErrorCodeOf failed, std::size_t size) {
                           if (failed == asio::error::eof) {
                             // The other direction may go on.
                             ErrorCodeOf ignored;
                             to.shutdown(tcp::socket::shutdown_send, ignored);
                             return;
                           }
                           if (failed) return Reset();
                           asio::async_write(to, asio::buffer(buffer, size),
                                             [this, self, &from, &to, &buffer](ErrorCodeOf broken, std::size_t) {
                                               if (broken) return Reset();
                                               Pass(from, to, buffer);
                                             });
                         });
  }

  tcp::socket client_;
  tcp::socket server_;
  const ForwardTarget target_;
  Buffer upstream_{};
  Buffer downstream_{};
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(asio::io_context& context) : acceptor_(context) {}

  Status Open(const std::string& address, std::uint16_t port) {
    ErrorCodeOf error;
    tcp::endpoint place(asio::ip::make_address(address, error), port);
    if (!error) acceptor_.open(place.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(place, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return Error(ErrorCode::kUnavailable, fmt::format("{}:{}: {}", address, port, error.message()));
    }
    Accept();
    return Status::Ok();
  }

  void SetTargets(std::vector<ForwardTarget> targets, const std::vector<ForwardTarget>& leaving) {
    targets_ = std::move(targets);
    std::erase_if(sessions_, [](const auto& each) { return each.expired(); });
    for (const auto& each : sessions_) {
      auto session = each.lock();
      auto is_in = [&](const auto& list) {
        return std::find(list.begin(), list.end(), session->target()) != list.end();
      };
      if (!is_in(targets_) && !is_in(leaving)) session->Reset();
    }
  }

  void Close() {
    ErrorCodeOf ignored;
    acceptor_.close(ignored);
    SetTargets({}, {});
  }

 private:
  void Accept() {
    acceptor_.async_accept([self = shared_from_this()](ErrorCodeOf failed, tcp::socket client) {
      if (!self->acceptor_.is_open()) return;
      if (!failed && !self->targets_.empty()) {
        auto session =
            std::make_shared<Session>(std::move(client), self->targets_[self->turn_++ % self->targets_.size()]);
        std::erase_if(self->sessions_, [](const auto& each) { return each.expired(); });
        self->sessions_.push_back(session);
        session->Start();
      }
      self->Accept();
    });
  }

  tcp::acceptor acceptor_;
  std::vector<ForwardTarget> targets_;
  std::vector<std::weak_ptr<Session>> sessions_;
  std::size_t turn_ = 0;
};

}  // namespace

class TcpForwarder::Impl {
 public:
  Impl() : thread_([this] { context_.run(); }) {}

  ~Impl() {
    asio::post(context_, [this] {
      for (auto& [place, listener] : listeners_) listener->Close();
      listeners_.clear();
    });
    work_.reset();
    thread_.join();
  }

  std::vector<Error> Apply(std::vector<ForwardRule> rules) {
    std::promise<std::vector<Error>> done;
    asio::post(context_, [&] { done.set_value(ApplyHere(std::move(rules))); });
    return done.get_future().get();
  }

 private:
  using Place = std::pair<std::string, std::uint16_t>;

  std::vector<Error> ApplyHere(std::vector<ForwardRule> rules) {
    std::map<Place, ForwardRule> wanted;
    for (ForwardRule& each : rules) {
      const Place place{each.address, each.port};
      if (!each.targets.empty()) wanted[place] = std::move(each);
    }
    std::erase_if(listeners_, [&](auto& each) {
      bool gone = !wanted.contains(each.first);
      if (gone) each.second->Close();
      return gone;
    });
    std::vector<Error> errors;
    for (auto& [place, rule] : wanted) {
      auto found = listeners_.find(place);
      if (found == listeners_.end()) {
        auto listener = std::make_shared<Listener>(context_);
        Status opened = listener->Open(place.first, place.second);
        if (!opened.ok()) {
          errors.push_back(opened.error());
          continue;
        }
        found = listeners_.emplace(place, std::move(listener)).first;
      }
      found->second->SetTargets(std::move(rule.targets), rule.leaving);
    }
    return errors;
  }

  asio::io_context context_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{context_.get_executor()};
  std::map<Place, std::shared_ptr<Listener>> listeners_;  // used by the thread only
  std::thread thread_;
};

TcpForwarder::TcpForwarder() : impl_(std::make_unique<Impl>()) {}
TcpForwarder::~TcpForwarder() = default;

std::vector<Error> TcpForwarder::Apply(std::vector<ForwardRule> rules) {
  return impl_->Apply(std::move(rules));
}

}  // namespace holdfast::local
