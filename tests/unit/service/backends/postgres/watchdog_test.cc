#include "service/backends/postgres/watchdog.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace holdfast::storage::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Pair {
 public:
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0); }
  ~Pair() {
    CloseOurs();
    ::close(ends_[1]);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int ours() const { return ends_[0]; }
  void CloseOurs() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  // Whether the other end sees ours cut, now or within `wait`.
  bool Cut(milliseconds wait) const {
    pollfd file{ends_[1], POLLIN, 0};
    char byte = 0;
    return ::poll(&file, 1, static_cast<int>(wait.count())) == 1 && ::recv(ends_[1], &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

bool FiredInTime(const Watchdog::Watch& watch) {
  const Deadline patience = Deadline::After(seconds{20});
  while (!watch.fired() && !patience.Expired()) std::this_thread::sleep_for(milliseconds{1});
  return watch.fired();
}

TEST(WatchdogTest, CutsWhatTakesTooLong) {
  Watchdog watchdog;
  const Pair pair;
  const Watchdog::Watch watch(watchdog, pair.ours(), Deadline::After(milliseconds{1}));
  EXPECT_TRUE(pair.Cut(seconds{20}));
  EXPECT_TRUE(watch.fired());
}

TEST(WatchdogTest, LetsEveryoneElseGoOn) {
  Watchdog watchdog;
  const Pair patient;
  const Pair done;
  const Pair hurried;
  const Watchdog::Watch watch(watchdog, patient.ours(), Deadline::After(seconds{600}));
  const Watchdog::Watch endless(watchdog, done.ours(), Deadline::Infinite());
  // Over long before its time, which has passed when the other one's comes.
  { const Watchdog::Watch over(watchdog, done.ours(), Deadline::After(milliseconds{1'000})); }
  const Watchdog::Watch fires(watchdog, hurried.ours(), Deadline::After(milliseconds{1'100}));
  EXPECT_TRUE(FiredInTime(fires));
  EXPECT_FALSE(watch.fired());
  EXPECT_FALSE(patient.Cut(milliseconds{0}));
  EXPECT_FALSE(done.Cut(milliseconds{0}));
}

// libpq closes the socket of a connection that it finds lost while its call is still watched; the next connection gets
// the number.
TEST(WatchdogTest, ASocketThatWasClosedMeanwhileIsNotTakenForItsSuccessor) {
  Watchdog watchdog;
  Pair lost;
  const int number = lost.ours();
  const Watchdog::Watch watch(watchdog, number, Deadline::After(milliseconds{50}));
  lost.CloseOurs();
  const Pair next;
  ASSERT_EQ(next.ours(), number) << "the lowest free number is given";
  EXPECT_TRUE(FiredInTime(watch));
  EXPECT_TRUE(lost.Cut(seconds{20}));
  EXPECT_FALSE(next.Cut(milliseconds{0}));
}

}  // namespace
}  // namespace holdfast::storage::postgres
