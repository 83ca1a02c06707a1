#include "service/composition/promotion.h"

#include <gtest/gtest.h>

#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "tests/unit/service/composition/observed_backend.h"

namespace holdfast::composition {
namespace {

class PromotionTest : public testing::Test {
 protected:
  bool AwaitEntries(std::uint64_t entries) {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (cache_->statistics().entries < entries && !patience.Expired()) std::this_thread::yield();
    return cache_->statistics().entries >= entries;
  }

  const std::shared_ptr<ObservedBackend> cache_ =
      std::make_shared<ObservedBackend>(std::shared_ptr(storage::MakeMemoryBackend({})));
  const Copies copies_{cache_, {}, SystemClock()};
};

TEST_F(PromotionTest, KeepsWhatItIsOffered) {
  Promotion promotion(copies_);
  for (int i = 0; i < 300; ++i) {
    const std::string key = "k" + std::to_string(i);  // gone before the copy is kept
    promotion.Offer({{key, {1, 1}, std::make_shared<storage::Entry>()}});
  }
  EXPECT_TRUE(AwaitEntries(300));
  EXPECT_TRUE(copies_.Find("k299", Deadline::Infinite()));
  EXPECT_EQ(promotion.dropped(), 0u);
}

TEST_F(PromotionTest, DropsWhatThereIsNoRoomForAndEndsWithoutTheRest) {
  auto large = std::make_shared<storage::Entry>();
  large->value.assign(1u << 20, 'v');
  const std::vector<Copies::New> copies(1'000, {"k", {1, 1}, large});
  Promotion promotion(copies_);
  promotion.Offer(copies);
  EXPECT_GE(promotion.dropped(), 1'000 - kMaxWaitingBytes / large->value.size());
  promotion.Stop();
  const std::uint64_t before = promotion.dropped();
  promotion.Offer({{"k", {1, 1}, nullptr}});
  EXPECT_EQ(promotion.dropped(), before + 1);
}

}  // namespace
}  // namespace holdfast::composition
