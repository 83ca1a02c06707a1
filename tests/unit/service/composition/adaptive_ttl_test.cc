// How long copies stay by how often their keys are asked for.
#include "tests/unit/service/composition/tiered_fixture.h"

namespace holdfast::composition {
namespace {

using std::chrono::minutes;

constexpr minutes kFloor{1};
constexpr minutes kCeiling{101};

class AdaptiveTtlTest : public TieredTest {
 protected:
  AdaptiveTtlTest() : TieredTest(Adaptive()) {
    PutElsewhere("hot", "1");
    PutElsewhere("cold", "1");
  }
  static TieredOptions Adaptive() {
    TieredOptions options;
    options.copies.ttl = kCeiling;
    options.copies.ttl_floor = kFloor;
    return options;
  }
  // Whether a get was answered by a copy.
  bool Hits(const std::string& key) {
    const int before = record_->gets();
    EXPECT_EQ(Get(key), "1");
    return record_->gets() == before;
  }
  void Warm(const std::string& key, int times) {
    for (int i = 0; i < times; ++i) ASSERT_EQ(Get(key), "1");
  }
};

TEST_F(AdaptiveTtlTest, a_copy_that_is_asked_for_once_stays_for_little_more_than_the_floor) {
  EXPECT_FALSE(Hits("cold"));
  EXPECT_TRUE(Hits("cold"));
  clock_.Advance(kFloor + (kCeiling - kFloor) / 10);
  EXPECT_FALSE(Hits("cold"));
}

TEST_F(AdaptiveTtlTest, a_copy_that_many_ask_for_stays_up_to_the_ceiling_from_its_next_fill_on) {
  Warm("hot", 2'000);
  clock_.Advance(minutes{50});
  EXPECT_FALSE(Hits("hot"));  // the first fill knew of one access
  clock_.Advance(minutes{50});
  EXPECT_TRUE(Hits("hot"));
  EXPECT_FALSE(Hits("cold"));
  clock_.Advance(minutes{50});
  EXPECT_FALSE(Hits("cold"));
}

TEST_F(AdaptiveTtlTest, no_copy_stays_longer_than_the_ceiling) {
  Warm("hot", 60'000);
  clock_.Advance(minutes{50});
  EXPECT_FALSE(Hits("hot"));
  clock_.Advance(kCeiling - minutes{1});
  EXPECT_TRUE(Hits("hot"));
  clock_.Advance(minutes{1});
  EXPECT_FALSE(Hits("hot"));
}

TEST_F(AdaptiveTtlTest, who_is_no_longer_asked_for_falls_back_to_the_floor) {
  Warm("hot", 2'000);
  clock_.Advance(20 * kCeiling);
  EXPECT_FALSE(Hits("hot"));
  clock_.Advance(minutes{30});
  EXPECT_FALSE(Hits("hot"));
}

TEST_F(AdaptiveTtlTest, an_expiry_of_the_entry_comes_first) {
  Warm("hot", 2'000);
  const auto expiry = storage::Expiry::After(minutes{5});
  ASSERT_TRUE(Run(storage::Operation::Touch("hot", expiry)).status.ok());
  EXPECT_EQ(Get("hot"), "1");
  clock_.Advance(minutes{5});
  EXPECT_EQ(Get("hot"), "not_found");
}

// The control: with a fixed TTL both stay alike.
TEST_F(TieredTest, with_a_fixed_ttl_a_copy_that_is_asked_for_once_stays_as_long_as_any) {
  PutElsewhere("cold", "1");
  ASSERT_EQ(Get("cold"), "1");
  clock_.Advance(minutes{59});
  const int before = record_->gets();
  ASSERT_EQ(Get("cold"), "1");
  EXPECT_EQ(record_->gets(), before);
}

}  // namespace
}  // namespace holdfast::composition
