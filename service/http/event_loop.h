// One I/O thread: its io_context, the connections it accepted, their timeouts, and the box into which other threads put
// responses. Private to the room.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "service/http/http_message.h"
#include "service/http/response_head.h"
#include "service/http/server_state.h"
#include "service/http/timeouts.h"

namespace holdfast::api {

class Connection;

// Bound to io_context's own executor: the type-erased default costs an indirection and a copy per operation.
using LoopExecutor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, LoopExecutor>;
using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, LoopExecutor>;
using Endpoint = boost::asio::ip::tcp::endpoint;
using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

// Kept alive by its connections, so that a responder that outlives the server finds a stopped loop and not a dead one.
class EventLoop : public std::enable_shared_from_this<EventLoop> {
 public:
  explicit EventLoop(std::shared_ptr<ServerState> state);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  boost::asio::io_context& context() { return context_; }
  ServerState& state() { return *state_; }

  // Before Run: accepts from this listening socket.
  void Listen(Acceptor acceptor);
  // Serves on the calling thread until Stop.
  void Run();

  // From any thread: stops accepting, ends what is idle or without an end, lets the rest finish its request.
  void Drain();
  // From any thread: closes everything and ends Run. Responses delivered later are dropped.
  void Stop();
  // From any thread: hands the response to the connection, on the loop's thread. None: its request was dropped.
  void Deliver(std::shared_ptr<Connection> connection, std::optional<Response> response);
  // From any thread: Connection::OnWhenGone on the loop's thread, before what is delivered later. Behind the end of the
  // loop every client has gone.
  void WhenGone(std::shared_ptr<Connection> connection, std::function<void()> gone);
  // From any thread: has the connection look at its stream, on the loop's thread.
  void Wake(std::shared_ptr<Connection> connection);

  // The rest: on the loop's thread only.
  bool IsCurrentThread() const;
  void Arm(TimeoutEntry& entry, Timeout kind);
  std::string_view DateLine();
  void Remove(Connection& connection);

 private:
  struct Delivery {
    std::shared_ptr<Connection> connection;
    std::optional<Response> response;
  };

  struct Registration {
    std::shared_ptr<Connection> connection;
    std::function<void()> gone;
  };

  void Accept();
  void OnAccept(const boost::system::error_code& error, Socket socket);
  void Reject(Socket socket, Admission::Verdict verdict);
  static void SendAndClose(Socket socket, std::string_view bytes);
  void StartTick();
  void OnTick();
  void PostTake();  // whoever has set take_posted_
  void TakeDeliveries();
  void CloseAcceptor();

  const std::shared_ptr<ServerState> state_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<LoopExecutor> work_;
  Acceptor acceptor_;
  Endpoint peer_;  // of the connection being accepted
  Timer accept_timer_;
  Timer tick_timer_;
  Timeouts timeouts_;
  DateHeader date_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  bool ticking_ = false;
  bool accept_failing_ = false;
  std::vector<Registration> taken_registered_;            // reused by TakeDeliveries
  std::vector<Delivery> taken_;                           // reused by TakeDeliveries
  std::vector<std::shared_ptr<Connection>> taken_woken_;  // ... too

  std::mutex mutex_;
  std::vector<Registration> registered_;            // guarded by mutex_
  std::vector<Delivery> deliveries_;                // guarded by mutex_
  std::vector<std::shared_ptr<Connection>> woken_;  // guarded by mutex_
  bool take_posted_ = false;                        // guarded by mutex_
  bool stopped_ = false;                            // guarded by mutex_
};

}  // namespace holdfast::api
