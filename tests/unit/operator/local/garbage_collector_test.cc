#include "tests/unit/operator/local/api_server_fixture.h"

namespace holdfast::local {
namespace {

class GarbageCollectorTest : public ApiServerTest {
 protected:
  Json OwnedBy(const std::string& name, const Json& owner, bool blocks = false) {
    Json object = Map(name);
    object["metadata"]["ownerReferences"] = Json::array({Reference(owner, blocks)});
    return object;
  }
  static Json Reference(const Json& owner, bool blocks = false) {
    return {{"apiVersion", owner["apiVersion"]},
            {"kind", owner["kind"]},
            {"name", NameOf(owner)},
            {"uid", UidOf(owner)},
            {"blockOwnerDeletion", blocks}};
  }
  // Waits until the collector has had its pass over everything written so far.
  void Settle() {
    Create(MapPath(), OwnedBy("marker", Json{{"apiVersion", "v1"},
                                             {"kind", "ConfigMap"},
                                             {"metadata", {{"name", "nobody"}, {"uid", "none"}}}}));
    EXPECT_TRUE(Vanishes(MapPath("marker")));
  }
};

TEST_F(GarbageCollectorTest, DependentsGoWithTheirOwner) {
  Reply owner = Create(KettlePath(), Kettle("blue", Json::object()));
  Create(MapPath(), OwnedBy("child", owner.body));
  Settle();
  EXPECT_EQ(Get(MapPath("child")).status, 200);
  Delete(KettlePath("blue"));
  EXPECT_TRUE(Vanishes(MapPath("child")));
}

TEST_F(GarbageCollectorTest, AnOwnerMadeAgainUnderTheOldNameAdoptsNothing) {
  Reply owner = Create(KettlePath(), Kettle("blue", Json::object()));
  Delete(KettlePath("blue"));
  Create(KettlePath(), Kettle("blue", Json::object()));
  Create(MapPath(), OwnedBy("child", owner.body));
  EXPECT_TRUE(Vanishes(MapPath("child")));
  EXPECT_EQ(Get(KettlePath("blue")).status, 200);
}

TEST_F(GarbageCollectorTest, ADependentOfTwoStaysWithTheOneThatIsLeft) {
  Reply first = Create(KettlePath(), Kettle("first", Json::object()));
  Reply second = Create(KettlePath(), Kettle("second", Json::object()));
  Json child = OwnedBy("child", first.body);
  child["metadata"]["ownerReferences"].push_back(Reference(second.body));
  Create(MapPath(), child);
  Delete(KettlePath("first"));
  Settle();
  Settle();
  Reply left = Get(MapPath("child"));
  ASSERT_EQ(left.status, 200);
  EXPECT_EQ(left.body["metadata"]["ownerReferences"], Json::array({Reference(second.body)}));
}

TEST_F(GarbageCollectorTest, ForegroundDeletionTakesTheDependentsFirst) {
  Reply owner = Create(KettlePath(), Kettle("blue", Json::object()));
  Json child = OwnedBy("child", owner.body, true);
  child["metadata"]["finalizers"] = {"test.dev/hold"};
  Create(MapPath(), child);
  Reply marked = Delete(KettlePath("blue"), {{"propagationPolicy", "Foreground"}});
  EXPECT_TRUE(HasFinalizer(marked.body, "foregroundDeletion"));
  Settle();
  EXPECT_TRUE(IsTerminating(Get(MapPath("child")).body));
  EXPECT_EQ(Get(KettlePath("blue")).status, 200);
  MergePatch(MapPath("child"), {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_TRUE(Vanishes(KettlePath("blue")));
}

TEST_F(GarbageCollectorTest, OrphansStayWithoutTheirOwner) {
  Reply owner = Create(KettlePath(), Kettle("blue", Json::object()));
  Create(MapPath(), OwnedBy("child", owner.body));
  Delete(KettlePath("blue"), {{"propagationPolicy", "Orphan"}});
  EXPECT_TRUE(Vanishes(KettlePath("blue")));
  Settle();
  Reply child = Get(MapPath("child"));
  ASSERT_EQ(child.status, 200);
  EXPECT_FALSE(child.body["metadata"].contains("ownerReferences"));
}

TEST_F(GarbageCollectorTest, DependentsOfAKindNobodyServesAreLeftAlone) {
  Json owner = {{"apiVersion", "unknown.dev/v1"}, {"kind", "Mystery"}, {"metadata", {{"name", "m"}, {"uid", "u"}}}};
  Create(MapPath(), OwnedBy("child", owner));
  Settle();
  EXPECT_EQ(Get(MapPath("child")).status, 200);
}

TEST_F(GarbageCollectorTest, ANamespaceTakesWhatItHoldsAndRefusesMoreMeanwhile) {
  Create("/api/v1/namespaces", {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "team"}}}});
  Json held = Map("a");
  held["metadata"]["finalizers"] = {"test.dev/hold"};
  std::string maps = "/api/v1/namespaces/team/configmaps";
  Create(maps, held);
  EXPECT_EQ(Delete("/api/v1/namespaces/team").body["status"]["phase"], "Terminating");
  Reply refused = Create(maps, Map("b"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
  Settle();
  EXPECT_EQ(Get("/api/v1/namespaces/team").status, 200);
  MergePatch(maps + "/a", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_TRUE(Vanishes("/api/v1/namespaces/team"));
  EXPECT_EQ(Delete("/api/v1/namespaces/default").status, 403);
}

}  // namespace
}  // namespace holdfast::local
