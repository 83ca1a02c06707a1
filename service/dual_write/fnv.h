// FNV-1a of 64 bits over fields, the same in every process (Fowler, Noll, Vo; draft-eastlake-fnv).
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::dual_write {

class Fnv {
 public:
  void Add(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * kPrime;
    // Where one field ends counts too.
    hash_ = (hash_ ^ bytes.size()) * kPrime;
  }
  std::uint64_t hash() const { return hash_; }

 private:
  static constexpr std::uint64_t kPrime = 0x100000001b3;
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace holdfast::dual_write
