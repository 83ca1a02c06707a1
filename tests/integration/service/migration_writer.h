// A client that writes keys of its own while the service comes and goes, and knows what each may hold: what was
// acknowledged last, or one of those of unknown fate since.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {

class MigrationWriter {
 public:
  // Keys are `name`-0 to `name`-(keys - 1), in the store `main`.
  explicit MigrationWriter(std::string name = "own", int keys = 50) : name_(std::move(name)), keys_(keys) {}

  // Of one thread at a time, and may be called again. `port` is where the service is now.
  void Run(const std::atomic<std::uint16_t>& port, const std::atomic<bool>& stop);
  // What the service shows that no write put there, or an acknowledged one has replaced. While nobody writes.
  std::vector<std::string> Lost(Service& service) const;
  int acknowledged() const { return acknowledged_; }
  int unknown() const { return unknown_; }
  int refused() const { return refused_; }
  const std::string& name() const { return name_; }
  // One that was written.
  std::string any_key() const { return may_hold_.begin()->first; }

 private:
  const std::string name_;
  const int keys_;
  std::map<std::string, std::set<std::string>> may_hold_;  // "" = the key is not there
  int written_ = 0;
  std::atomic<int> acknowledged_{0};
  int unknown_ = 0;
  int refused_ = 0;
};

}  // namespace holdfast
