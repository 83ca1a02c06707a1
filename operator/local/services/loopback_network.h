// A part of 127.0.0.0/8 that no other `local` on this machine uses: pods of one must never answer for those of another.
// It is held by a name in the kernel (an abstract Unix socket), so it is free again when the process ends, however.
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result/result.h"

namespace holdfast::local {

class LoopbackNetwork {
 public:
  // The first that is free of 127.0, 127.1 and so on. kResourceExhausted when all are held.
  static Result<std::unique_ptr<LoopbackNetwork>> Claim();
  LoopbackNetwork(const LoopbackNetwork&) = delete;
  LoopbackNetwork& operator=(const LoopbackNetwork&) = delete;
  ~LoopbackNetwork();

  // "127.0.1": the first three numbers of pods' addresses.
  std::string pods() const;
  // The address of a Service, "127.0.2.1" and on; the same one whenever the same is asked. Empty once every address has
  // been given to another.
  std::string ServiceAddress(const std::string& ns, const std::string& name);

 private:
  LoopbackNetwork(int descriptor, int number) : descriptor_(descriptor), number_(number) {}

  const int descriptor_;
  const int number_;
  std::mutex mutex_;
  std::map<std::string, int> services_;  // guarded by mutex_
};

}  // namespace holdfast::local
