// Clients that write to the store `main` of a service without pause, each over HTTP in its own way in turn (puts,
// increments, batches, transactions), and remember what they were told.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/http/http_client.h"
#include "tests/integration/postgres/write_history.h"

namespace holdfast {

// The outcome an answer tells; what it cannot be is recorded as strange.
Told OutcomeOf(const http::ClientResponse& response, WriteHistory& history);

class AuditedLoad {
 public:
  explicit AuditedLoad(std::uint16_t port);
  // The service has `timeout` for each request: short where a fault is to be seen, long where none may be.
  explicit AuditedLoad(const std::string& base_url, std::chrono::seconds timeout = std::chrono::seconds(2));
  ~AuditedLoad() { Stop(); }
  AuditedLoad(const AuditedLoad&) = delete;
  AuditedLoad& operator=(const AuditedLoad&) = delete;

  // Waits until so many further writes have been acknowledged; false after a minute.
  bool AwaitAcknowledged(std::uint64_t more) const;
  // The same until so many in all are unknown.
  bool AwaitUnknown(std::uint64_t in_all) const;
  // Returns when every request has its answer. Idempotent.
  void Stop();
  WriteHistory& history() { return history_; }

 private:
  void Write(int writer);
  void PutOne(const std::string& name);
  void Increment();
  void Batch(const std::string& name);
  void Transact(const std::string& name);
  // Empty when the service did not answer, which is recorded.
  http::ClientResponse Send(const std::string& method, const std::string& target, const std::string& body);

  const std::string timeout_;
  http::HttpClient client_;
  WriteHistory history_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace holdfast
