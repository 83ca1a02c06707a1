// Clients that leave while a handler holds their request, and those that only look like it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

constexpr const char* kWatched = "/watched";

class Gone : public ServerTest {
 protected:
  void TearDown() override {
    server_.reset();
    EXPECT_EQ(handler_->Watched(), 0) << "a callback was neither called nor let go";
  }
  RawClient Hold(const std::string& behind = "") {
    RawClient client = Connect();
    client.Send(Get(kWatched) + behind);
    EXPECT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
    return client;
  }
  bool GoneBecomes(int count) {
    return Eventually([&] { return handler_->Gone() == count; });
  }
};

TEST_F(Gone, IsToldWhenTheClientCloses) {
  { const RawClient client = Hold(); }
  EXPECT_TRUE(GoneBecomes(1));
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  handler_->Release();
  EXPECT_EQ(handler_->Gone(), 1);
}

TEST_F(Gone, IsToldWhenTheConnectionIsReset) {
  RawClient client = Hold();
  client.Reset();
  EXPECT_TRUE(GoneBecomes(1));
}

TEST_F(Gone, IsNotToldWhenTheAnswerCameFirst) {
  {
    RawClient client = Hold();
    handler_->Release();
    EXPECT_EQ(client.ReadResponse()->body, "released");
    EXPECT_TRUE(Eventually([&] { return handler_->Watched() == 0; }));
    client.Send(Get("/next"));
    EXPECT_EQ(client.ReadResponse()->body, "GET /next");
  }
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  EXPECT_EQ(handler_->Gone(), 0);
}

// Nobody can tell it from one that has closed.
TEST_F(Gone, TakesAClientThatFinishesSendingForGone) {
  RawClient client = Hold();
  client.FinishSending();
  EXPECT_TRUE(GoneBecomes(1));
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(Gone, LeavesAClientAloneThatOnlyFinishesSendingWhileAnotherHandlerHoldsIt) {
  RawClient client = Connect();
  client.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  client.FinishSending();
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "released");
}

// The request's views are in use while what comes behind it is read.
TEST_F(Gone, KeepsRequestsSentAheadInOrder) {
  RawClient client = Hold(Get("/first"));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(client.Send(Get("/ahead" + std::to_string(i), "X-Padding: " + std::string(64, 'x') + "\r\n")));
    if (i % 8 == 0) std::this_thread::yield();
  }
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "released");
  EXPECT_EQ(client.ReadResponse()->body, "GET /first");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(client.ReadResponse()->body, "GET /ahead" + std::to_string(i));
}

TEST_F(Gone, IsToldBehindRequestsSentAhead) {
  { const RawClient client = Hold(Get("/canary") + "GET /half HT"); }
  EXPECT_TRUE(GoneBecomes(1));
  handler_->Release();
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  EXPECT_EQ(handler_->Recorded(), std::vector<std::string>{"GET /watched"});
}

// Whatever is sent ahead, no more than the bound is taken in, and the end is seen when the answer is due.
TEST_F(Gone, HoldsBoundedMemoryForAClientThatSendsAhead) {
  RawClient client = Hold();
  for (int i = 0; i < 1000; ++i) client.Send(Get("/ahead"));
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "released");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(client.ReadResponse()->body, "GET /ahead");
}

TEST_F(Gone, IsToldOncePerRequestOfAConnection) {
  {
    RawClient client = Hold(Get(kWatched));
    handler_->Release();
    EXPECT_EQ(client.ReadResponse()->body, "released");
    ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
    EXPECT_EQ(handler_->Watched(), 1);
  }
  EXPECT_TRUE(GoneBecomes(1));
}

// An answer that never came out of the buffers reached nobody.
TEST_F(Gone, IsToldWhenTheAnswerCannotBeSent) {
  ServerLimits limits;
  limits.write_timeout = std::chrono::milliseconds{150};
  Serve(limits);
  RawClient client = Connect(4096);
  client.Send(Get(kWatched));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  std::vector<Responder> held = handler_->TakeHeld();
  Response large;
  large.body.assign(20'000'000, 'x');
  held[0].Send(std::move(large));
  EXPECT_TRUE(client.ReadHead());
  EXPECT_TRUE(GoneBecomes(1)) << "the client takes no more";
}

TEST_F(Gone, IsToldAtShutdown) {
  const RawClient client = Hold();
  server_->Shutdown(Deadline::After(std::chrono::milliseconds{50}));
  EXPECT_EQ(handler_->Gone(), 1);
}

TEST_F(Gone, CanBeAskedForByAnotherThreadAndBehindTheEnd) {
  RawClient client = Connect();
  client.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  std::vector<Responder> held = handler_->TakeHeld();
  std::atomic<int> gone{0};
  held[0].WhenGone([&] { ++gone; });
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return gone == 1; }));
  held[0].WhenGone([&] { ++gone; });
  EXPECT_TRUE(Eventually([&] { return gone == 2; }));
  server_->Shutdown(Deadline::After(std::chrono::seconds{1}));
  held[0].WhenGone([&] { ++gone; });
  EXPECT_EQ(gone, 3);
}

}  // namespace
}  // namespace holdfast::api::testing
