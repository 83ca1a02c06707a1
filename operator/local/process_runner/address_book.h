// A loopback address for each pod of a /24 network, the same one every time as long as the network is the same. Kept in
// a file, so that it survives a restart of everything. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/result/result.h"

namespace holdfast::local {

class AddressBook {
 public:
  // `network` is "127.0.1". A file that cannot be read is begun anew.
  AddressBook(std::filesystem::path file, std::string network);

  // The pod's address while it runs; kResourceExhausted when every address is taken. Of two pods that were given the
  // same address at different times, the one that runs keeps it.
  Result<std::string> Take(const std::string& ns, const std::string& pod);
  void Release(const std::string& ns, const std::string& pod);

 private:
  void Save() const;  // requires mutex_

  const std::filesystem::path file_;
  const std::string network_;
  std::mutex mutex_;
  std::map<std::string, std::string> address_by_pod_;  // guarded by mutex_; "ns/pod"
  std::set<std::string> in_use_;                       // guarded by mutex_; addresses
};

}  // namespace holdfast::local
