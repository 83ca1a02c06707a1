// Ports and addresses of 127.0.0.0/8 that belong to one test while others run beside it. What is reserved stays so for
// the life of the object, also while nothing listens there: a server that was killed finds its port free when it comes
// back. Two reservations never name the same, in this process or in another; e2e/testbed/ports.py reserves ports in the
// same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::loopback {

// A name that one object on this machine holds: an abstract Unix socket, which goes with its process. Not inherited by
// programs the test starts.
class Claim {
 public:
  // Nothing when another holds it.
  static std::optional<Claim> Take(const std::string& name);
  ~Claim();
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;

 private:
  explicit Claim(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// A port of 127.0.0.1, below those that the kernel gives to outgoing connections and to listeners on port 0.
class ReservedPort {
 public:
  ReservedPort();
  std::uint16_t number() const { return number_; }

 private:
  std::uint16_t number_ = 0;
  std::optional<Claim> claim_;
};

// An address on which each of `ports` is free: for programs whose ports are fixed. In 127.200.0.0 to 127.249.255.255;
// pods of `holdfast-operator local` are below.
class ReservedAddress {
 public:
  explicit ReservedAddress(const std::vector<std::uint16_t>& ports);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::optional<Claim> claim_;
};

}  // namespace holdfast::loopback
