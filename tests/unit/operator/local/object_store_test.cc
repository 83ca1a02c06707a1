#include "operator/local/api_server/object_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <thread>

namespace holdfast::local {
namespace {

// Each number is written to the first kind, then to the second.
class ObjectStoreTest : public testing::Test {
 protected:
  static constexpr int kPairs = 1'000'000;  // more than are written before the test ends

  void Write(const std::string& resource, const std::string& name) {
    const auto put = [](const ObjectStore::View&, const StoredObject&) -> Answer<ObjectStore::Change> {
      return ObjectStore::Change{ObjectStore::Change::Action::kPut, Json::object()};
    };
    EXPECT_TRUE(store_.Modify(resource, {"default", name}, put).ok());
  }
  // Whether a number was seen of the second kind and not of the first.
  static bool AreTorn(const std::set<std::string>& first, const std::set<std::string>& second) {
    for (const std::string& name : second) {
      if (!first.contains(name)) return true;
    }
    return false;
  }
  bool IsTornKindByKind() const {
    std::set<std::string> seen[2];
    for (int kind : {0, 1}) {
      for (const auto& [key, object] : store_.List(kind == 0 ? "children" : "owners", "").objects) {
        seen[kind].insert(key.name);
      }
    }
    return AreTorn(seen[0], seen[1]);
  }
  bool IsTornTogether() const {
    std::set<std::string> seen[2];
    for (const StoredOfKind& each : store_.Everything()) {
      seen[each.resource == "children" ? 0 : 1].insert(each.key.name);
    }
    return AreTorn(seen[0], seen[1]);
  }

  ObjectStore store_{16};
  std::jthread writer_{[this](const std::stop_token& stop) {
    for (int i = 0; i < kPairs && !stop.stop_requested(); ++i) {
      Write("children", std::to_string(i));
      Write("owners", std::to_string(i));
    }
  }};
};

// The collector of garbage took an owner that was being deleted for one without dependents, although they had been
// written before: it had asked for those first.
TEST_F(ObjectStoreTest, EverythingIsOfOneMoment) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  bool torn = false;
  for (int read = 0; !torn || read < 100; ++read) {
    ASSERT_FALSE(IsTornTogether());
    // The control: what is read kind by kind does get torn.
    torn = torn || IsTornKindByKind();
    ASSERT_LT(std::chrono::steady_clock::now(), end);
  }
}

}  // namespace
}  // namespace holdfast::local
