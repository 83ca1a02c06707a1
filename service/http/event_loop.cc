#include "service/http/event_loop.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <ctime>
#include <string>
#include <string_view>

#include "base/deferral/deferral.h"
#include "base/log/log.h"
#include "service/http/connection.h"

namespace holdfast::api {
namespace {

// After accept failed for want of descriptors or memory: the connection stays in the backlog, and trying again at once
// would only burn the processor that could free something.
constexpr std::chrono::milliseconds kAcceptBackoff{100};

// A fatal alert, as it may stand in place of a ServerHello (RFC 8446, 5.1 and 6.2: alert record, version 1.2 for the
// record layer, two bytes, fatal, internal_error): nothing is wrong with the client.
constexpr std::string_view kInternalErrorAlert("\x15\x03\x03\x00\x02\x02\x50", 7);

thread_local const EventLoop* current_loop = nullptr;

// A client of IPv4 on a socket of IPv6 is what it is.
boost::asio::ip::address Unmapped(const boost::asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
}

std::string_view WhyRejected(Admission::Verdict verdict) {
  switch (verdict) {
    case Admission::Verdict::kTooManyOfAddress:
      return "too many connections from this address (limits.connections_per_address); use fewer, or try again later";
    case Admission::Verdict::kFewDescriptors:
      return "the service has no more files to open (ulimit -n, limits.reserved_descriptors); try again later";
    default:
      return "too many connections (limits.connections); try again later";
  }
}

}  // namespace

EventLoop::EventLoop(std::shared_ptr<ServerState> state)
    : state_(std::move(state)),
      // One thread runs the loop and does all its I/O; others only post.
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(context_.get_executor()),
      acceptor_(context_),
      accept_timer_(context_),
      tick_timer_(context_),
      timeouts_(state_->limits) {}

EventLoop::~EventLoop() = default;

void EventLoop::Listen(Acceptor acceptor) {
  acceptor_ = std::move(acceptor);
  Accept();
}

void EventLoop::Run() {
  current_loop = this;
  context_.run();
  current_loop = nullptr;
}

bool EventLoop::IsCurrentThread() const {
  return current_loop == this;
}

void EventLoop::Accept() {
  acceptor_.async_accept(
      peer_, [this](const boost::system::error_code& error, Socket socket) { OnAccept(error, std::move(socket)); });
}

void EventLoop::OnAccept(const boost::system::error_code& error, Socket socket) {
  if (!acceptor_.is_open()) return;
  if (error && error != boost::asio::error::connection_aborted) {
    if (!accept_failing_) {
      log::Warn("cannot accept connections; trying again until it works", {{"error", error.message()}});
    }
    accept_failing_ = true;
    accept_timer_.expires_after(kAcceptBackoff);
    accept_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled && acceptor_.is_open()) Accept();
    });
    return;
  }
  accept_failing_ = false;
  if (!error) {
    const boost::asio::ip::address peer = Unmapped(peer_.address());
    const auto verdict = state_->admission.Enter(peer, socket.native_handle());
    if (verdict == Admission::Verdict::kAdmitted) {
      auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket), peer,
                                                     state_->certificates ? state_->certificates->Current() : nullptr);
      state_->metrics.connections().Add(1);
      connections_.emplace(connection.get(), connection);
      connection->Start();
    } else {
      Reject(std::move(socket), verdict);
    }
  }
  Accept();
}

void EventLoop::Reject(Socket socket, Admission::Verdict verdict) {
  state_->metrics.Refused(verdict).Increment();
  if (state_->certificates) {
    // To say why would take a handshake, the dearest thing a connection can ask for, at the moment there is least to
    // spare. An alert needs none, and tells the client's library that the end is meant.
    return SendAndClose(std::move(socket), kInternalErrorAlert);
  }
  const Response response = state_->handler->Refuse(503, "unavailable", WhyRejected(verdict));
  std::string bytes;
  AppendResponseHead(response, response.body.size(), DateLine(), ConnectionHeader::kClose, bytes);
  bytes += response.body;
  SendAndClose(std::move(socket), bytes);
}

void EventLoop::SendAndClose(Socket socket, std::string_view bytes) {
  boost::system::error_code failed;
  // Best effort, without a place in any list: what the client has sent so far is taken in, because closing over unread
  // bytes would turn the answer into a reset.
  std::array<char, 4096> ignored;
  const int descriptor = socket.native_handle();
  ::recv(descriptor, ignored.data(), ignored.size(), MSG_DONTWAIT);
  const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) socket.shutdown(boost::asio::socket_base::shutdown_send, failed);
  socket.close(failed);
}

void EventLoop::Remove(Connection& connection) {
  connections_.erase(&connection);
  state_->metrics.connections().Add(-1);
  state_->RemoveConnection(connection.peer());
}

void EventLoop::Arm(TimeoutEntry& entry, Timeout kind) {
  timeouts_.Arm(entry, kind, std::chrono::steady_clock::now());
  if (!ticking_) StartTick();
}

void EventLoop::StartTick() {
  ticking_ = true;
  tick_timer_.expires_after(timeouts_.tick());
  tick_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) OnTick();
  });
}

void EventLoop::OnTick() {
  const auto now = std::chrono::steady_clock::now();
  while (TimeoutEntry* expired = timeouts_.PopExpired(now)) Connection::OfTimeout(*expired).OnTimeout(expired->kind());
  // An idle server does not wake up.
  if (connections_.empty()) {
    ticking_ = false;
  } else {
    StartTick();
  }
}

std::string_view EventLoop::DateLine() {
  return date_.At(std::time(nullptr));
}

void EventLoop::Deliver(std::shared_ptr<Connection> connection, std::optional<Response> response) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    deliveries_.push_back({std::move(connection), std::move(response)});
    if (std::exchange(take_posted_, true)) return;
  }
  PostTake();
}

void EventLoop::WhenGone(std::shared_ptr<Connection> connection, std::function<void()> gone) {
  {
    std::unique_lock lock(mutex_);
    if (!stopped_) {
      registered_.push_back({std::move(connection), std::move(gone)});
      if (std::exchange(take_posted_, true)) return;
      lock.unlock();
      return PostTake();
    }
  }
  gone();
}

void EventLoop::Wake(std::shared_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    woken_.push_back(std::move(connection));
    if (std::exchange(take_posted_, true)) return;
  }
  PostTake();
}

// Without mutex_: the loop, which takes it first of all, may be awake before the call that wakes it has returned. One
// wake-up for however many responses a batch delivers.
void EventLoop::PostTake() {
  Deferral::AtEnd([loop = shared_from_this()] {
    boost::asio::post(loop->context_, [raw = loop.get()] { raw->TakeDeliveries(); });
  });
}

void EventLoop::TakeDeliveries() {
  {
    const std::lock_guard lock(mutex_);
    taken_registered_.swap(registered_);
    taken_.swap(deliveries_);
    taken_woken_.swap(woken_);
    take_posted_ = false;
  }
  for (Registration& registration : taken_registered_)
    registration.connection->OnWhenGone(std::move(registration.gone));
  taken_registered_.clear();
  for (Delivery& delivery : taken_) delivery.connection->OnDelivered(std::move(delivery.response));
  taken_.clear();
  for (const auto& connection : taken_woken_) connection->OnWake();
  taken_woken_.clear();
}

void EventLoop::Drain() {
  boost::asio::post(context_, [this] {
    CloseAcceptor();
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->OnDrain();
  });
}

void EventLoop::Stop() {
  boost::asio::post(context_, [this] {
    std::vector<Registration> registered;
    std::vector<Delivery> dropped;
    std::vector<std::shared_ptr<Connection>> dropped_woken;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      registered.swap(registered_);
      dropped.swap(deliveries_);
      dropped_woken.swap(woken_);
    }
    CloseAcceptor();
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->Close();
    for (Registration& registration : registered) registration.connection->OnWhenGone(std::move(registration.gone));
    tick_timer_.cancel();
    work_.reset();
  });
}

void EventLoop::CloseAcceptor() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  accept_timer_.cancel();
}

}  // namespace holdfast::api
