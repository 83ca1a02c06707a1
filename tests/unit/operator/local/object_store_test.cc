#include "operator/local/api_server/object_store.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace holdfast::local {
namespace {

// One object of each of two kinds; each number is written to the first, then to the second.
class ObjectStoreTest : public testing::Test {
 protected:
  void Write(const std::string& resource, std::int64_t number) {
    const auto put = [&](const ObjectStore::View&, const StoredObject&) -> Answer<ObjectStore::Change> {
      return ObjectStore::Change{ObjectStore::Change::Action::kPut, {{"number", number}}};
    };
    EXPECT_TRUE(store_.Modify(resource, {"default", "one"}, put).ok());
  }
  static std::int64_t NumberOf(const StoredObject& object) { return object->at("number").get<std::int64_t>(); }

  ObjectStore store_{16};
};

// The collector of garbage took an owner that was being deleted for one without dependents, although they had been
// written before: it had asked for those first.
TEST_F(ObjectStoreTest, EverythingIsOfOneMoment) {
  Write("children", 0);
  Write("owners", 0);
  const std::jthread writer([&](const std::stop_token& stop) {
    for (std::int64_t number = 1; !stop.stop_requested(); ++number) {
      Write("children", number);
      Write("owners", number);
    }
  });
  for (std::int64_t changes = 0, last = 0; changes < 50;) {
    std::int64_t child = -1;
    std::int64_t owner = -1;
    for (const StoredOfKind& each : store_.Everything()) {
      (each.resource == "children" ? child : owner) = NumberOf(each.object);
    }
    ASSERT_TRUE(child == owner || child == owner + 1) << child << " beside " << owner;
    if (owner != last) ++changes;
    last = owner;
  }
}

TEST_F(ObjectStoreTest, PositiveControlWhatIsReadKindByKindIsTorn) {
  Write("children", 1);
  const std::int64_t child = NumberOf(store_.Get("children", {"default", "one"}));
  Write("children", 2);
  Write("owners", 2);
  EXPECT_GT(NumberOf(store_.Get("owners", {"default", "one"})), child);
}

}  // namespace
}  // namespace holdfast::local
