#include "service/tracing/span_ids.h"

#include <fmt/format.h>

#include <cstdint>
#include <random>

namespace holdfast::tracing {
namespace {

std::uint64_t Random() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return random();
}

}  // namespace

std::string RandomTraceId() {
  return fmt::format("{:016x}{:016x}", Random() | 1u, Random());
}

std::string RandomSpanId() {
  return fmt::format("{:016x}", Random() | 1u);
}

}  // namespace holdfast::tracing
