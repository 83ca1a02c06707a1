#include "service/http/http_message.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::api {
namespace {

class Recorder : public Responder::Channel {
 public:
  void Deliver(Response&& response) override { statuses.push_back(response.status); }
  std::vector<int> statuses;
};

TEST(Request, FindsHeadersWhateverTheirCase) {
  Request request;
  request.headers = {{"Host", "a"}, {"X-Two", "first"}, {"x-two", "second"}};
  ASSERT_NE(request.Find("x-TWO"), nullptr);
  EXPECT_EQ(*request.Find("x-TWO"), "first");
  EXPECT_EQ(request.Find("x-tw"), nullptr);
  EXPECT_EQ(request.CountOf("X-Two"), 2u);
  EXPECT_EQ(request.CountOf("absent"), 0u);
}

TEST(Responder, AnswersOnce) {
  auto recorder = std::make_shared<Recorder>();
  {
    Responder responder(recorder);
    responder.Send(Response{});
    responder.Send(Response{});
  }
  EXPECT_EQ(recorder->statuses, std::vector<int>{200});
}

TEST(Responder, DroppedUnusedAnswers500) {
  auto recorder = std::make_shared<Recorder>();
  {
    Responder first(recorder);
    Responder moved(std::move(first));
    EXPECT_TRUE(recorder->statuses.empty());
  }
  EXPECT_EQ(recorder->statuses, std::vector<int>{500});
}

TEST(Responder, OverwrittenUnusedAnswers500) {
  auto lost = std::make_shared<Recorder>();
  auto kept = std::make_shared<Recorder>();
  Responder responder(lost);
  responder = Responder(kept);
  EXPECT_EQ(lost->statuses, std::vector<int>{500});
  responder.Send(Response{});
  EXPECT_EQ(kept->statuses, std::vector<int>{200});
}

}  // namespace
}  // namespace holdfast::api
