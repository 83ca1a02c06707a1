#include "tests/loopback/reservation.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace holdfast::loopback {
namespace {

class Listener {
 public:
  Listener(const std::string& address, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &name.sin_addr);
    listens_ = bind(socket_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 && listen(socket_, 1) == 0;
  }
  ~Listener() { close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  bool listens() const { return listens_; }

 private:
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool listens_ = false;
};

TEST(ClaimTest, IsHeldByOneUntilItGoes) {
  auto first = Claim::Take("a name of this test");
  ASSERT_TRUE(first);
  EXPECT_FALSE(Claim::Take("a name of this test"));
  EXPECT_TRUE(Claim::Take("another name of this test"));
  const Claim moved = std::move(*first);
  first.reset();
  EXPECT_FALSE(Claim::Take("a name of this test"));
}

TEST(ClaimTest, IsGivenBackAndHeldAgainstOtherProcesses) {
  const std::string name = "a name of processes";
  auto claim = Claim::Take(name);
  ASSERT_TRUE(claim);
  const auto taken_by_another_process = [&] {
    const pid_t child = fork();
    if (child == 0) _exit(Claim::Take(name) ? 1 : 0);
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status) == 1;
  };
  EXPECT_FALSE(taken_by_another_process());
  claim.reset();
  EXPECT_TRUE(taken_by_another_process());
}

TEST(ReservedPortTest, ThoseAliveAtOnceDifferThoughNobodyListens) {
  constexpr std::size_t kMany = 200;
  std::vector<ReservedPort> ports(kMany);
  std::set<std::uint16_t> numbers;
  for (const ReservedPort& port : ports) {
    numbers.insert(port.number());
    EXPECT_LT(port.number(), 16'000) << "the kernel gives it to others";
  }
  EXPECT_EQ(numbers.size(), kMany);
  EXPECT_TRUE(Listener("127.0.0.1", ports.front().number()).listens());
}

TEST(ReservedAddressTest, ThoseAliveAtOnceDifferThoughNobodyListens) {
  constexpr std::uint16_t kPort = 8080;
  std::vector<std::unique_ptr<ReservedAddress>> addresses;
  std::set<std::string> texts;
  for (int i = 0; i < 20; ++i) {
    texts.insert(addresses.emplace_back(std::make_unique<ReservedAddress>(std::vector{kPort}))->text());
  }
  EXPECT_EQ(texts.size(), addresses.size());
  EXPECT_TRUE(Listener(addresses.front()->text(), kPort).listens());
}

TEST(ReservedAddressTest, OneWithATakenPortIsPassedOver) {
  const auto split = [](const std::string& text) { return text.rfind('.') + 1; };
  std::string text = ReservedAddress({}).text();
  if (text.substr(split(text)) == "250") text = ReservedAddress({}).text();  // the last of its kind
  const std::string next = text.substr(0, split(text)) + std::to_string(std::stoi(text.substr(split(text))) + 1);
  const Listener listener(next, 8080);
  ASSERT_TRUE(listener.listens());
  EXPECT_NE(ReservedAddress({8080}).text(), next);
}

}  // namespace
}  // namespace holdfast::loopback
