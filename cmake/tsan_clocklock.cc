// Part of every program built with the thread sanitizer. g++ 12's libtsan does not know pthread_mutex_clocklock, by
// which std::timed_mutex waits until a time of the steady clock: it misses the lock, and takes what the mutex guards
// for a race. It knows pthread_mutex_timedlock, so that is what this makes of it.
#include <pthread.h>

#include <ctime>

namespace {

constexpr long kNanosecondsPerSecond = 1'000'000'000;

timespec OnTheRealTimeClock(clockid_t clock, const timespec& when) {
  timespec now{};
  timespec real{};
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &real);
  timespec moved{};
  moved.tv_sec = real.tv_sec + (when.tv_sec - now.tv_sec);
  moved.tv_nsec = real.tv_nsec + (when.tv_nsec - now.tv_nsec);
  while (moved.tv_nsec < 0) {
    moved.tv_nsec += kNanosecondsPerSecond;
    --moved.tv_sec;
  }
  while (moved.tv_nsec >= kNanosecondsPerSecond) {
    moved.tv_nsec -= kNanosecondsPerSecond;
    ++moved.tv_sec;
  }
  return moved;
}

}  // namespace

extern "C" int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  const timespec when = OnTheRealTimeClock(clock, *until);
  return pthread_mutex_timedlock(mutex, &when);
}
