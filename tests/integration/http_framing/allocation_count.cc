#include "tests/integration/http_framing/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> of_every_thread{0};
std::atomic<std::size_t> of_marked_threads{0};
thread_local bool marked = false;

void Count() {
  of_every_thread.fetch_add(1, std::memory_order_relaxed);
  if (marked) of_marked_threads.fetch_add(1, std::memory_order_relaxed);
}

void* Allocate(std::size_t bytes) {
  Count();
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

void* Allocate(std::size_t bytes, std::align_val_t alignment) {
  Count();
  const auto step = static_cast<std::size_t>(alignment);
  // aligned_alloc wants whole multiples.
  if (void* const memory = std::aligned_alloc(step, (bytes / step + 1) * step)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Not inlined: g++ 12 would see through one of a pair only, and take it for the mate of another.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return Allocate(bytes);
}
[[gnu::noinline]] void* operator new[](std::size_t bytes) {
  return Allocate(bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, alignment);
}
[[gnu::noinline]] void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, alignment);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace holdfast::api::testing {

std::size_t AllocationsOfEveryThread() {
  return of_every_thread;
}

void MarkThisThread() {
  marked = true;
}

std::size_t AllocationsOfMarkedThreads() {
  return of_marked_threads;
}

}  // namespace holdfast::api::testing
