// One connection to one server, logged in, and the commands that go over it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/pool/connection_pool.h"
#include "base/redis/interrupt.h"
#include "base/redis/options.h"
#include "base/redis/pipeline.h"
#include "base/redis/reply.h"
#include "base/redis/slot_map.h"
#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::redis {

class ReplyReader;
class Stream;

// One thread at a time; an Interrupt may come from any.
class Connection final : public pool::Pooled {
 public:
  // How to log in, and what the server has to be. kNothing asks nothing of it: sentinels.
  enum class Expect { kNothing, kMaster, kReplica };

  // Connected, over TLS if the target says so, logged in, database selected, role verified, all within connect_timeout
  // and the deadline. `interrupt` may be null, and outlives the connection. kUnavailable names the address and the
  // reason, also where a setting or a file is wrong; kDeadlineExceeded; kCancelled.
  static Result<std::unique_ptr<Connection>> Open(const Address& address, const Options& options, Expect expect,
                                                  Deadline deadline, const Interrupt* interrupt = nullptr);
  ~Connection() override;

  // Sends all, then reads all replies. Scripts the server does not know yet are loaded on the way, also when it has
  // forgotten them since (SCRIPT FLUSH); a call it could not do for that reason is made again behind the others.
  // When the connection is lost or the time is over before all replies are there, the connection is done with, and each
  // command without a reply gets
  //   kUnavailable, or kDeadlineExceeded at the deadline, when its last byte was never sent, or it is a read
  //   kOutcomeUnknown when it is a write that may have arrived.
  Replies Run(const Pipeline& pipeline, Deadline deadline);
  // Run in two halves, so that several servers are at work at once. Between the two nothing else goes over the
  // connection.
  class Exchange;
  // Sends those commands of the pipeline that are `chosen`, in rising order; `asking`: each behind ASKING. The pipeline
  // outlives the exchange. What cannot be sent shows in Finish.
  Exchange Begin(const Pipeline& pipeline, std::vector<std::size_t> chosen, bool asking, Deadline deadline);
  // The replies to the chosen, in their order. `refusals`, when given, gets one for each of them.
  Replies Finish(Exchange exchange, Deadline deadline, std::vector<Refusal>* refusals = nullptr);
  // The same of one command.
  Result<Value> Run(Effect effect, std::initializer_list<std::string_view> words, Deadline deadline);

  // For a connection of one's own that subscribes or blocks: sends without waiting for an answer, ...
  Status Send(const Pipeline& pipeline, Deadline deadline);
  // ... and takes the next reply or message, whatever it belongs to; one of type kError is an Error. read_timeout does
  // not count here. After kDeadlineExceeded the connection stands as before; after kCancelled or kUnavailable it does
  // not. With sentinels, look at usable() between two waits: a master that was replaced may go on without a word. Run
  // is for after the last of the answers.
  Result<Value> Receive(Deadline deadline);

  const Address& address() const { return address_; }

  // For a pool. False once it was lost, or the server is no longer what it was taken for.
  bool usable() const override;
  // The server said READONLY or the like: it is a replica now, and others that were opened before lead there as well.
  bool misdirected() const override { return refused_writes_; }
  // The server has closed it, or sent what nobody asked for; found without a round trip.
  bool HungUp() const override;
  // When `generation` moves on from `opened_in`, another server is the one wanted: no longer usable.
  void BelongTo(std::shared_ptr<const std::atomic<std::uint64_t>> generation, std::uint64_t opened_in);
  // From now on nothing interrupts it.
  void ForgetInterrupt();
  // Asks the server, which takes a round trip, whether it answers and is still what was expected.
  bool Answers(Deadline deadline) override;
  std::chrono::steady_clock::time_point opened_at() const override { return opened_at_; }

 private:
  Connection(Address address, const Options& options, Expect expect);

  Status Prepare(Deadline deadline);
  Status CheckRole(Deadline deadline);
  // The bytes of one round trip. `sent` tells how many have left.
  Status Write(std::string_view bytes, Deadline deadline, std::size_t* sent);
  // `patience`: of the server's silence; zero for none.
  Result<Value> ReadOne(Deadline deadline, std::chrono::milliseconds patience);
  Exchange SendChosen(const Pipeline& pipeline, std::vector<std::size_t> chosen, bool asking, Deadline deadline);
  // Of scripts that went ahead.
  void ReadLoads(Exchange& exchange, Deadline deadline);
  // `unknown_scripts`: places among the chosen of those that the server did not do because it does not know their
  // script.
  Replies ReadReplies(Exchange& exchange, Deadline deadline, std::vector<Refusal>* refusals,
                      std::vector<std::size_t>* unknown_scripts);
  void Note(const Value& reply);
  bool in_cluster() const { return options_.target.topology == Target::Topology::kCluster; }

  const Address address_;
  const Expect expect_;
  // Copied: a connection of one's own may outlive the client that it came from.
  const Options options_;
  const std::chrono::steady_clock::time_point opened_at_ = std::chrono::steady_clock::now();
  std::chrono::milliseconds patience_;  // with the server's silence: connect_timeout first, then read_timeout
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<ReplyReader> reader_;
  bool usable_ = true;
  bool refused_writes_ = false;
  std::shared_ptr<const std::atomic<std::uint64_t>> generation_;  // may be null
  std::uint64_t opened_in_ = 0;
  std::vector<char> input_;
  std::set<std::string, std::less<>> loaded_;  // SHA-1 of scripts that this server was sent over this connection
};

// What is under way between Begin and Finish.
class Connection::Exchange {
 private:
  friend class Connection;

  const Pipeline* pipeline_ = nullptr;
  std::vector<std::size_t> chosen_;
  std::vector<std::size_t> ends_;  // of the chosen commands, in what is sent
  bool asking_ = false;
  std::vector<std::size_t> loading_;           // scripts that were sent ahead
  std::vector<std::optional<Error>> refused_;  // of the pipeline's scripts: why one was not loaded
  std::size_t sent_ = 0;                       // bytes of the commands
  Status status_;                              // why what has no reply has none
  std::optional<Error> unsent_;                // nothing was attempted
};

}  // namespace holdfast::redis
