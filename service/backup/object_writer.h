// Cuts a stream into the objects of a backup. Memory: an object, and its encrypted copy where it is encrypted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/backup/manifest.h"
#include "service/backup/target.h"
#include "service/backup/work.h"

namespace holdfast::backup {

// Not thread-safe. After an error it is of no more use.
class ObjectWriter {
 public:
  // All of them outlive it; `cipher`: null, nothing is encrypted. The objects are called `series`-00000001 and so on;
  // `numbers`: to the cipher they are the ones behind it.
  ObjectWriter(Target& target, std::string backup, std::string series, std::size_t object_bytes,
               const ObjectCipher* cipher, Work& work, std::uint64_t numbers = 0);

  // kResourceExhausted also when there would be more than kMaxObjects.
  Status Write(std::string_view bytes);
  // Last, once: everything is with the target.
  Result<std::vector<ManifestObject>> Finish();

 private:
  Status PutObject();

  Target& target_;
  const std::string backup_;
  const std::string series_;
  const std::size_t object_bytes_;
  const ObjectCipher* const cipher_;
  Work& work_;
  const std::uint64_t numbers_;
  std::string filling_;
  std::vector<ManifestObject> objects_;
};

}  // namespace holdfast::backup
