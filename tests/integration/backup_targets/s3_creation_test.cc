// Objects put where there is none yet, on S3 servers of three kinds: one that creates conditionally, one that refuses
// to (as Swift does by itself), and one that does not look at the condition. What depends on it: one claim and one
// manifest of a backup.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>

#include "service/s3/creation.h"
#include "tests/integration/backup_targets/target_under_test.h"
#include "tests/s3/s3_proxy.h"
#include "tests/s3/s3_server.h"

namespace holdfast::backup {
namespace {

using s3_servers::Fault;
using s3_servers::S3Proxy;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ObjectName kName{"tick-1", "claim"};
constexpr std::string_view kKey = "/main/tick-1/claim ";
constexpr std::string_view kCondition = "\r\nif-none-match:";

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// "PUT probe if-none-match", "PUT object": of each request what matters here.
std::vector<std::string> Shown(const std::vector<std::string>& heads) {
  std::vector<std::string> shown;
  for (const std::string& head : heads) {
    std::string words = head.substr(0, head.find(' '));
    words += head.find("/.conditional-writes ") != std::string::npos ? " probe"
             : head.find(kKey) != std::string::npos                  ? " object"
                                                                     : " other";
    if (Lower(head).find(kCondition) != std::string::npos) words += " if-none-match";
    shown.push_back(words);
  }
  return shown;
}

bool Creates(const std::string& head) {
  return head.starts_with("PUT ") && head.find(kKey) != std::string::npos;
}

// A fresh bucket of a server of that kind, and the proxy before it.
class S3Creation : public testing::TestWithParam<const char*> {
 protected:
  explicit S3Creation(const std::string& kind) : options_(FreshBucket(kind)) {
    options_.bucket.endpoint = proxy_.url();
  }
  S3Creation() : S3Creation(GetParam()) {}

  // As another instance would open it.
  std::shared_ptr<Target> Open() const { return MakeS3Target(options_, "main"); }
  static Status PutNew(Target& target, std::string_view bytes) {
    return target.PutNew(kName, bytes, Deadline::Infinite());
  }
  static std::string Get(Target& target) { return target.Get(kName, 1'000, Deadline::Infinite()).value(); }

  S3Proxy proxy_{s3_servers::SharedServer().port()};
  S3TargetOptions options_;
};

TEST_P(S3Creation, WhatIsThereIsNeverReplaced) {
  const auto target = Open();
  ASSERT_TRUE(PutNew(*target, "first").ok());
  for (const auto& each : {target, Open()}) {
    EXPECT_EQ(PutNew(*each, "second").error().code(), ErrorCode::kAlreadyExists);
    EXPECT_EQ(Get(*each), "first");
  }
}

TEST_P(S3Creation, TheServerIsAskedOnceAndOnAnObjectThatIsForNothingElse) {
  const bool creates = std::string(GetParam()) == "conditional";
  const auto target = Open();
  ASSERT_TRUE(PutNew(*target, "first").ok());
  if (creates) {
    EXPECT_THAT(Shown(proxy_.heads()),
                ElementsAre("PUT probe if-none-match", "PUT probe if-none-match", "PUT object if-none-match"));
  } else {
    const std::string then = std::string(GetParam()) == "careless" ? "PUT probe if-none-match" : "PUT probe";
    EXPECT_THAT(Shown(proxy_.heads()), ElementsAre("PUT probe if-none-match", then, "GET object", "PUT object"));
  }
  proxy_.Strike(nullptr);
  EXPECT_FALSE(PutNew(*target, "second").ok());
  EXPECT_THAT(Shown(proxy_.heads()), ElementsAre(creates ? "PUT object if-none-match" : "GET object"));
  EXPECT_EQ(target->List("", Deadline::Infinite())->size(), 1u);
}

TEST_P(S3Creation, WhatHappensOnceAtAnyOfItsRequestsIsTriedAgain_fault) {
  ASSERT_TRUE(PutNew(*Open(), "control").ok());
  const int requests = static_cast<int>(proxy_.heads().size());
  int number = 0;
  for (const Fault fault : {Fault::kRefuse, Fault::kSwallowAnswer, Fault::kSlowDown}) {
    for (int request = 0; request < requests; ++request) {
      const ObjectName name{"tick-2", std::to_string(++number)};
      proxy_.Strike([=](int each, const std::string&) { return each == request ? fault : Fault::kNone; });
      const Status put = Open()->PutNew(name, "bytes", Deadline::Infinite());
      ASSERT_TRUE(put.ok()) << static_cast<int>(fault) << " at " << request << ": " << put.error().ToString();
      proxy_.Strike(nullptr);
      EXPECT_EQ(Open()->Get(name, 10, Deadline::Infinite()).value(), "bytes");
    }
  }
}

TEST_P(S3Creation, AServerThatDoesNotAnswerWhatItCanDoHasBeenGivenNothing_fault) {
  proxy_.Strike([](int, const std::string&) { return Fault::kSwallowAnswer; });
  const auto target = Open();
  const Status put = PutNew(*target, "v");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code(), ErrorCode::kUnavailable) << put.error().ToString();
  EXPECT_THAT(Shown(proxy_.heads()), testing::Each(HasSubstr("probe")));
  proxy_.Strike(nullptr);
  EXPECT_THAT(*target->List("", Deadline::Infinite()), IsEmpty());
  EXPECT_TRUE(PutNew(*target, "v").ok()) << "that it did not answer is not remembered";
}

std::string KindOf(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}
INSTANTIATE_TEST_SUITE_P(Servers, S3Creation, testing::Values("conditional", "bucket", "careless"), KindOf);

class S3Conditional : public S3Creation {
 protected:
  S3Conditional() : S3Creation("conditional") {}
};

TEST_F(S3Conditional, OfSeveralInstancesAtOnceOneSucceeds) {
  constexpr int kInstances = 6;
  std::vector<std::future<Status>> all;
  for (int i = 0; i < kInstances; ++i) {
    all.push_back(std::async(std::launch::async, [this, i] { return PutNew(*Open(), std::to_string(i)); }));
  }
  int winner = -1;
  for (int i = 0; i < kInstances; ++i) {
    const Status put = all[static_cast<std::size_t>(i)].get();
    if (put.ok()) {
      EXPECT_EQ(winner, -1) << "a second one";
      winner = i;
    } else {
      EXPECT_EQ(put.error().code(), ErrorCode::kAlreadyExists) << put.error().ToString();
    }
  }
  EXPECT_EQ(Get(*Open()), std::to_string(winner));
}

TEST_F(S3Conditional, WhatAnAttemptOfOursPutThereIsOursThoughItsAnswerWasLost_fault) {
  const auto target = Open();
  proxy_.Strike([lost = false](int, const std::string& head) mutable {
    const bool strikes = Creates(head) && !lost;
    lost = lost || strikes;
    return strikes ? Fault::kSwallowAnswer : Fault::kNone;
  });
  const Status put = PutNew(*target, "ours");
  EXPECT_TRUE(put.ok()) << put.error().ToString();
  EXPECT_EQ(Shown(proxy_.heads()).back(), "GET object") << "it was not looked whose it is";
  proxy_.Strike(nullptr);
  EXPECT_EQ(Get(*target), "ours");
}

TEST_F(S3Conditional, WhatAnotherOnePutThereIsNotTakenForOursThoughAnAnswerWasLost_fault) {
  const auto target = Open();
  // The very same bytes.
  ASSERT_TRUE(PutNew(*Open(), "the same").ok());
  proxy_.Strike([lost = false](int, const std::string& head) mutable {
    const bool strikes = Creates(head) && !lost;
    lost = lost || strikes;
    return strikes ? Fault::kSwallowAnswer : Fault::kNone;
  });
  EXPECT_EQ(PutNew(*target, "the same").error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(S3Conditional, WhatCannotBeFoundOutIsSaidToBeUnknown_fault) {
  const auto target = Open();
  // The first one loses every answer; the second one its first, and whose the object is cannot be read.
  for (const bool every : {true, false}) {
    bool lost = false;
    proxy_.Strike([=](int, const std::string& head) mutable {
      if (head.starts_with("GET ")) return Fault::kRefuse;
      if (!Creates(head) || (lost && !every)) return Fault::kNone;
      lost = true;
      return Fault::kSwallowAnswer;
    });
    EXPECT_EQ(PutNew(*target, "v").error().code(), ErrorCode::kOutcomeUnknown);
    proxy_.Strike(nullptr);
    EXPECT_EQ(Get(*target), "v");
    ASSERT_TRUE(target->Delete(kName, Deadline::Infinite()).ok());
  }
}

// Why it is tried before it is relied upon.
class S3Careless : public S3Creation {
 protected:
  S3Careless() : S3Creation("careless") {}
};

TEST_F(S3Careless, AConditionalWriteReplacesWhatIsThere) {
  s3::Caller caller(options_.bucket);
  for (const char* const bytes : {"first", "second"}) {
    EXPECT_TRUE(s3::CreateObject(caller, "key", bytes, {}, Deadline::Infinite()).ok());
  }
}

}  // namespace
}  // namespace holdfast::backup
