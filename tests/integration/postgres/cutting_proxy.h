// Stands between the service and PostgreSQL and cuts a connection at the worst moment: when the server has committed
// and the client has not heard of it, or when the client has sent and the server has not heard of it. What is cut
// without looking at statements may be the way to any other server. Plain TCP on this machine. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast {

enum class Cut {
  kBeforeTheServer,  // the statement never arrives
  kBehindTheCommit,  // the server has said that it is done, and its words are kept
};

class CuttingProxy {
 public:
  explicit CuttingProxy(std::uint16_t server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::uint16_t port() const { return port_; }
  // The connection over which this prepared statement is executed next is cut, once; `pass` executions before are let
  // through.
  void CutNext(const std::string& statement, Cut cut, int pass = 0);
  // Nothing is cut any more, whatever was asked for.
  void LetPass();
  // With the next cut all connections go, and no further one gets through, until Accept.
  void RefuseBehindTheNextCut() { refuse_behind_the_cut_ = true; }
  // All connections go, within a moment, and no further one gets through, until Accept.
  void Refuse() { refusing_ = true; }
  void Accept();
  int cuts() const { return cuts_; }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
  };
  void AcceptLoop();
  void Pump(Pair pair);
  void CountCut();
  // Whether these bytes of a client are those to be cut at; asks once.
  bool Triggers(const std::string& bytes, Cut* cut);

  const std::uint16_t server_port_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> cuts_{0};
  std::atomic<bool> refuse_behind_the_cut_{false};
  std::atomic<bool> refusing_{false};
  std::mutex mutex_;
  std::string trigger_;              // guarded by mutex_; empty: let everything pass
  int pass_ = 0;                     // guarded by mutex_; so often first
  Cut cut_ = Cut::kBehindTheCommit;  // guarded by mutex_
  std::vector<std::thread> pumps_;   // touched by the accepting thread, and behind its end
  std::thread acceptor_;
};

}  // namespace holdfast
