// The informer against real HTTP: FAULTS.md K11 (410 in both forms), K12 (server away), K13 (half-open stream),
// K14 (senseless content), K15 (duplicate and re-ordered events).
#include "operator/kube/informer.h"

#include <atomic>

#include "tests/unit/operator/kube/scripted_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Json Pod(const std::string& name, const std::string& version, const std::string& uid = "", int generation = 0) {
  Json pod = {{"kind", "Pod"},
              {"apiVersion", "v1"},
              {"metadata",
               {{"name", name},
                {"namespace", "prod"},
                {"uid", uid.empty() ? "u-" + name : uid},
                {"resourceVersion", version},
                {"managedFields", Json::array({{{"manager", "kubectl"}}})}}}};
  if (generation > 0) pod["metadata"]["generation"] = generation;
  return pod;
}

Json Bookmark(const std::string& version) {
  return {{"kind", "Pod"}, {"apiVersion", "v1"}, {"metadata", {{"resourceVersion", version}}}};
}

ScriptedAnswer PodList(const std::string& version, const std::vector<Json>& items) {
  return Reply(200, Json{{"kind", "PodList"}, {"metadata", {{"resourceVersion", version}}}, {"items", items}});
}

const ScriptedAnswer kSilence = Stream({}, StreamEnding::kSilent);

class InformerTest : public testing::Test {
 protected:
  InformerTest() {
    options_.ns = "prod";
    options_.backoff = {milliseconds{5}, milliseconds{50}, 0.5};
  }
  ~InformerTest() override { runner_ = {}; }

  void Start() {
    informer_ = std::make_unique<Informer>(server_.MakeClient(), kinds::kPod, options_);
    informer_->AddHandler([this](const ObjectPtr& old, const ObjectPtr& current) {
      const std::lock_guard lock(mutex_);
      const Json& object = current ? *current : *old;
      log_.push_back((old && current ? "~"
                      : current      ? "+"
                                     : "-") +
                     KeyOf(object).name + "@" + ResourceVersionOf(object));
    });
    runner_ = std::jthread([this](std::stop_token stop) { informer_->Run(std::move(stop)); });
  }

  using Log = std::vector<std::string>;
  Log Seen() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  // Everything the handler was told, once as much as expected has come.
  Log SeenOf(std::size_t count) {
    Eventually([&] { return Seen().size() >= count; });
    return Seen();
  }
  std::string VersionOf(const std::string& name) const {
    const ObjectPtr object = informer_->Get({"prod", name});
    return object ? ResourceVersionOf(*object) : "";
  }
  std::vector<std::string> Targets() const {
    std::vector<std::string> targets;
    for (const auto& request : server_.Requests()) {
      const auto version = request.target.find("resourceVersion=");
      const std::string value =
          version == std::string::npos
              ? "none"
              : request.target.substr(version + 16, request.target.find('&', version) - version - 16);
      targets.push_back((request.target.find("watch=true") == std::string::npos ? "list " : "watch ") + value);
    }
    return targets;
  }

  ScriptedServer server_;
  InformerOptions options_;
  std::unique_ptr<Informer> informer_;
  mutable std::mutex mutex_;
  Log log_;
  std::jthread runner_;  // last
};

TEST_F(InformerTest, ListsThenWatchesFromThere) {
  server_.Then(PodList("10", {Pod("a", "3"), Pod("b", "4")}));
  server_.Then(Stream(
      {EventLine("MODIFIED", Pod("a", "11")), EventLine("ADDED", Pod("c", "12")), EventLine("DELETED", Pod("b", "13"))},
      StreamEnding::kSilent));
  Start();
  EXPECT_EQ(SeenOf(5), (Log{"+a@3", "+b@4", "~a@11", "+c@12", "-b@13"}));
  EXPECT_TRUE(informer_->HasSynced());
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 10"}));
  EXPECT_EQ(VersionOf("a"), "11");
  EXPECT_EQ(VersionOf("b"), "");
  EXPECT_EQ(informer_->List().size(), 2u);
  EXPECT_EQ(informer_->List("prod").size(), 2u);
  EXPECT_EQ(informer_->List("other").size(), 0u);
}

TEST_F(InformerTest, KeepsNoManagedFieldsAndWhatTrimLeaves) {
  options_.trim = [](Json& object) { object.erase("data"); };
  Json fat = Pod("a", "3");
  fat["data"] = std::string(1000, 'x');
  server_.Then(PodList("10", {fat}));
  server_.Then(Stream({EventLine("ADDED", Pod("b", "11"))}, StreamEnding::kSilent));
  Start();
  ASSERT_EQ(SeenOf(2).size(), 2u);
  for (const ObjectPtr& object : informer_->List()) {
    EXPECT_FALSE(object->contains("data"));
    EXPECT_FALSE(object->at("metadata").contains("managedFields"));
  }
}

Json Labelled(Json object, const std::string& value) {
  object["metadata"]["labels"] = {{"cluster", value}, {"other", "x"}};
  return object;
}

// By an indexed label and by one that is not, through events and a fresh list.
TEST_F(InformerTest, FindsByALabelWhatHasItNow) {
  options_.indexed_label = "cluster";
  const auto names = [this](const std::string& label, const std::string& value, const std::string& ns = "prod") {
    Log found;
    for (const ObjectPtr& object : informer_->ListLabelled(ns, label, value)) found.push_back(KeyOf(*object).name);
    return found;
  };
  server_.Then(PodList("10", {Labelled(Pod("b", "3"), "one"), Labelled(Pod("a", "4"), "one"), Pod("c", "5")}));
  server_.Then(Stream(
      {EventLine("MODIFIED", Labelled(Pod("b", "11"), "two")), EventLine("ADDED", Labelled(Pod("d", "12"), "two")),
       EventLine("DELETED", Pod("d", "13")), EventLine("ADDED", Labelled(Pod("e", "14"), "one"))},
      StreamEnding::kSilent));
  Start();
  ASSERT_EQ(SeenOf(7).size(), 7u);
  EXPECT_EQ(names("cluster", "one"), (Log{"a", "e"}));
  EXPECT_EQ(names("cluster", "two"), (Log{"b"}));
  EXPECT_EQ(names("cluster", "three"), Log{});
  EXPECT_EQ(names("cluster", "one", "test"), Log{});
  EXPECT_EQ(names("other", "x"), (Log{"a", "b", "e"}));
}

TEST_F(InformerTest, FindsByALabelWhatAFreshListHas) {
  options_.indexed_label = "cluster";
  server_.Then(PodList("10", {Labelled(Pod("a", "3"), "one"), Labelled(Pod("b", "4"), "one")}));
  server_.Then(Refuse(410, "Expired", "too old resource version"));
  server_.Then(PodList("90", {Labelled(Pod("b", "80"), "two"), Labelled(Pod("d", "81"), "one")}));
  server_.Then(kSilence);
  Start();
  ASSERT_EQ(SeenOf(5).size(), 5u);
  ASSERT_EQ(informer_->ListLabelled("prod", "cluster", "one").size(), 1u);
  EXPECT_EQ(KeyOf(*informer_->ListLabelled("prod", "cluster", "one").front()).name, "d");
  EXPECT_EQ(informer_->ListLabelled("prod", "cluster", "two").size(), 1u);
}

TEST_F(InformerTest, WaitForSyncHasADeadline) {
  server_.Otherwise([](const http::ServerRequest&, http::ResponseWriter& writer) {
    while (!writer.Gone()) std::this_thread::sleep_for(milliseconds{2});
  });
  Start();
  EXPECT_FALSE(informer_->WaitForSync(Deadline::After(milliseconds{30})));
  EXPECT_FALSE(informer_->HasSynced());
  server_.GoAway();
}

TEST_F(InformerTest, BookmarksMoveOnlyTheVersion) {
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(Stream({EventLine("BOOKMARK", Bookmark("500"))}, StreamEnding::kBreak));
  server_.Then(kSilence);
  Start();
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 10", "watch 500"}));
  EXPECT_EQ(Seen(), (Log{"+a@3"}));
}

TEST_F(InformerTest, K11GoneOnStartIsAnsweredByAFreshListAndItsDifference) {
  server_.Then(PodList("10", {Pod("a", "3"), Pod("b", "4"), Pod("c", "5")}));
  server_.Then(Refuse(410, "Expired", "too old resource version"));
  server_.Then(PodList("90", {Pod("a", "3"), Pod("b", "80"), Pod("d", "81")}));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(6), (Log{"+a@3", "+b@4", "+c@5", "-c@5", "~b@80", "+d@81"}));
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  // The fresh list is a quorum read: no version, not even "0".
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 10", "list none", "watch 90"}));
}

TEST_F(InformerTest, K11GoneInsideTheStreamToo) {
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(Stream({EventLine("ADDED", Pod("b", "11")),
                       EventLine("ERROR", {{"kind", "Status"}, {"code", 410}, {"reason", "Expired"}})},
                      StreamEnding::kSilent));
  server_.Then(PodList("90", {Pod("b", "11")}));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "+b@11", "-a@3"}));
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  EXPECT_EQ(Targets().at(2), "list none");
}

TEST_F(InformerTest, K11AVersionBeyondTheServersIsForgotten) {
  server_.Then(PodList("5000", {Pod("a", "3")}));
  server_.Then(Stream({"no event\n"}, StreamEnding::kSilent));
  // etcd was restored from a backup.
  server_.Then(Refuse(504, "Timeout", "Too large resource version: 5000, current: 100"));
  server_.Then(PodList("100", {Pod("a", "2")}));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(2), (Log{"+a@3", "~a@2"}));
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 5000", "list 5000", "list none", "watch 100"}));
}

TEST_F(InformerTest, K11AnObjectReplacedInTheGapIsSeenToGoAndToCome) {
  server_.Then(PodList("10", {Pod("a", "3", "first")}));
  server_.Then(Refuse(410, "Expired", "x"));
  server_.Then(PodList("90", {Pod("a", "80", "second")}));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "-a@3", "+a@80"}));
}

TEST_F(InformerTest, K12AServerThatComesBackIsWatchedOnFromTheLastVersion) {
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(Stream({EventLine("ADDED", Pod("b", "11"))}, StreamEnding::kSilent));
  Start();
  ASSERT_EQ(SeenOf(2).size(), 2u);
  server_.GoAway();
  std::this_thread::sleep_for(milliseconds{100});  // some attempts find nobody
  EXPECT_EQ(informer_->List().size(), 2u);         // the copy stays readable
  server_.Then(Stream({EventLine("ADDED", Pod("c", "12"))}, StreamEnding::kSilent));
  server_.ComeBack();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "+b@11", "+c@12"}));
  // No relist: the server knows the version still, and a list by every informer at once is what an API server that
  // has just come up can least bear.
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 10", "watch 11"}));
}

TEST_F(InformerTest, K12AServerThatIsNotThereYetIsWaitedFor) {
  server_.GoAway();
  Start();
  EXPECT_FALSE(informer_->WaitForSync(Deadline::After(milliseconds{50})));
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(kSilence);
  server_.ComeBack();
  EXPECT_TRUE(informer_->WaitForSync(Deadline::After(seconds{20})));
}

TEST_F(InformerTest, K13AHalfOpenStreamIsLeftAndTheStateListedAnew) {
  options_.idle_timeout = milliseconds{800};
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(kSilence);
  server_.Then(PodList("20", {Pod("b", "12")}));
  server_.Otherwise(kSilence);
  Start();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "-a@3", "+b@12"}));
  // Never older than what was seen.
  EXPECT_EQ(Targets().at(2), "list 10");
}

TEST_F(InformerTest, K14SenselessContentIsAnsweredByAFreshList) {
  Json huge = Pod("a", "11");
  huge["data"] = std::string(10u << 20, 'x');
  const std::string line = EventLine("MODIFIED", Pod("a", "11"));
  const std::pair<const char*, std::vector<std::string>> streams[] = {
      {"truncated", {line.substr(0, line.size() / 2)}},
      {"huge", {EventLine("MODIFIED", huge)}},
      {"unknown type", {EventLine("SYNC", Pod("a", "11"))}},
      {"unknown kind",
       {EventLine("ADDED", {{"kind", "Secret"}, {"metadata", {{"name", "a"}, {"resourceVersion", "11"}}}})}},
      {"binary", {std::string("\0\xff\xfe\n", 4)}},
  };
  server_.Then(PodList("10", {Pod("a", "3")}));
  for (const auto& [what, chunks] : streams) {
    server_.Then(Stream(chunks, StreamEnding::kClose));
    server_.Then(PodList("10", {Pod("a", "3")}));
  }
  server_.Then(Stream({EventLine("DELETED", Pod("a", "12"))}, StreamEnding::kSilent));
  Start();
  EXPECT_EQ(SeenOf(2), (Log{"+a@3", "-a@12"}));
  EXPECT_EQ(server_.Count("watch=true"), 1 + std::size(streams));
}

TEST_F(InformerTest, K15DuplicateAndReorderedEventsChangeNothing) {
  server_.Then(PodList("10", {Pod("a", "3", "", 1)}));
  server_.Then(Stream({EventLine("MODIFIED", Pod("a", "11", "", 2)), EventLine("MODIFIED", Pod("a", "11", "", 2)),
                       EventLine("ADDED", Pod("a", "3", "", 1)),     // the version before
                       EventLine("MODIFIED", Pod("a", "7", "", 1)),  // never seen, but an older generation
                       EventLine("ADDED", Pod("b", "12", "first")), EventLine("DELETED", Pod("b", "13", "first")),
                       EventLine("MODIFIED", Pod("b", "12", "first")),  // after its end
                       EventLine("ADDED", Pod("b", "14", "second")),
                       EventLine("DELETED", Pod("b", "13", "first")),  // of the older object of that name
                       EventLine("ADDED", Pod("c", "15"))},
                      StreamEnding::kBreak));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(6), (Log{"+a@3", "~a@11", "+b@12", "-b@13", "+b@14", "+c@15"}));
  EXPECT_EQ(VersionOf("a"), "11");
  EXPECT_EQ(VersionOf("b"), "14");
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  EXPECT_EQ(Targets().back(), "watch 15");
}

TEST_F(InformerTest, K15AReplaySentLastDoesNotTakeTheWatchBack) {
  server_.Then(PodList("10", {}));
  server_.Then(Stream(
      {EventLine("ADDED", Pod("a", "11")), EventLine("MODIFIED", Pod("a", "12")), EventLine("ADDED", Pod("a", "11"))},
      StreamEnding::kBreak));
  server_.Then(kSilence);
  Start();
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") == 2; }));
  EXPECT_EQ(Targets().back(), "watch 12");
}

TEST_F(InformerTest, UnderASelectorAnObjectMayLeaveAndComeBack) {
  options_.label_selector = "app=db";
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(
      Stream({EventLine("DELETED", Pod("a", "11")), EventLine("ADDED", Pod("a", "12"))}, StreamEnding::kSilent));
  Start();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "-a@11", "+a@12"}));
  EXPECT_EQ(server_.Count("labelSelector=app%3Ddb"), 2u);
}

TEST_F(InformerTest, ADeleteWithTheLastVersionCountsToo) {
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(Stream({EventLine("DELETED", Pod("a", "3"))}, StreamEnding::kSilent));
  Start();
  EXPECT_EQ(SeenOf(2), (Log{"+a@3", "-a@3"}));
}

TEST_F(InformerTest, AWatchTheServerEndsIsTakenUpAgainFromTheLastVersion) {
  server_.Then(PodList("10", {Pod("a", "3")}));
  server_.Then(Stream({EventLine("MODIFIED", Pod("a", "11"))}, StreamEnding::kClose));
  server_.Then(Stream({EventLine("MODIFIED", Pod("a", "12"))}, StreamEnding::kClose));
  server_.Then(kSilence);
  Start();
  EXPECT_EQ(SeenOf(3), (Log{"+a@3", "~a@11", "~a@12"}));
  ASSERT_TRUE(Eventually([&] { return server_.Count() == 4; }));
  EXPECT_EQ(Targets(), (std::vector<std::string>{"list 0", "watch 10", "watch 11", "watch 12"}));
}

TEST_F(InformerTest, AServerThatEndsEveryWatchAtOnceIsNotAskedInAHotLoop) {
  options_.backoff = {milliseconds{100}, seconds{10}, 0.0};
  server_.Then(PodList("10", {}));
  server_.Otherwise(Stream({}, StreamEnding::kClose));
  const auto began = std::chrono::steady_clock::now();
  Start();
  // After 100, 200 ms.
  ASSERT_TRUE(Eventually([&] { return server_.Count("watch=true") >= 3; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds{300});
}

TEST_F(InformerTest, DelaysRiseWhileItFailsAndFallAfterAHealthyWatch) {
  options_.backoff = {milliseconds{1}, milliseconds{64}, 0.0};
  server_.Then(PodList("10", {}));
  for (int i = 0; i < 8; ++i) server_.Then(Refuse(500, "InternalError", "x"));
  // Healthy for longer than the longest delay.
  server_.Then([](const http::ServerRequest&, http::ResponseWriter& writer) {
    writer.Begin(200, {});
    std::this_thread::sleep_for(milliseconds{100});
  });
  std::atomic<std::int64_t> failed_at{0};
  std::atomic<std::int64_t> next_at{0};
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  server_.Then([&](const http::ServerRequest& request, http::ResponseWriter& writer) {
    failed_at = now();
    Refuse(500, "InternalError", "x")(request, writer);
  });
  server_.Otherwise([&](const http::ServerRequest& request, http::ResponseWriter& writer) {
    next_at = now();
    kSilence(request, writer);
  });
  const auto began = std::chrono::steady_clock::now();
  Start();
  ASSERT_TRUE(Eventually([&] { return next_at != 0; }));
  // 1+2+4+8+16+32+64+64 ms, then the healthy watch.
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds{191 + 100});
  EXPECT_GE(next_at - failed_at, std::chrono::nanoseconds(milliseconds{1}).count());
}

TEST_F(InformerTest, AForbiddenListIsRetriedWithBackoff) {
  options_.backoff = {milliseconds{100}, seconds{10}, 0.0};
  server_.Otherwise(Refuse(403, "Forbidden", "cannot list resource \"pods\""));
  const auto began = std::chrono::steady_clock::now();
  Start();
  ASSERT_TRUE(Eventually([&] { return server_.Count() >= 3; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds{300});
  EXPECT_FALSE(informer_->HasSynced());
}

TEST_F(InformerTest, StopEndsEveryKindOfWaiting) {
  // In a watch, in a pause, and in between.
  server_.Then(PodList("10", {}));
  server_.Then(kSilence);
  Start();
  ASSERT_TRUE(Eventually([&] { return server_.Count() == 2; }));
  runner_.request_stop();
  runner_.join();

  options_.backoff = {std::chrono::hours{1}, std::chrono::hours{1}, 0.0};
  server_.Otherwise(Refuse(500, "InternalError", "x"));
  Start();
  ASSERT_TRUE(Eventually([&] { return server_.Count() == 3; }));
  runner_.request_stop();
  runner_.join();
}

}  // namespace
}  // namespace holdfast::kube
