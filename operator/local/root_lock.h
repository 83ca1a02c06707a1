// Makes sure that one `local` at a time works in a folder. The lock goes with the process, however that ends.
#pragma once

#include <filesystem>

#include "base/result/result.h"

namespace holdfast::local {

class RootLock {
 public:
  // Makes the folder where it is missing. kFailedPrecondition when another process holds the lock (its id is named),
  // kUnavailable when the folder cannot be made or written.
  static Result<RootLock> Take(const std::filesystem::path& root);
  RootLock(RootLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  RootLock& operator=(RootLock&&) = delete;
  ~RootLock();

 private:
  explicit RootLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace holdfast::local
