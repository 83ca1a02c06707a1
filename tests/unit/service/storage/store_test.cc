#include "service/storage/store.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

Store Named(const std::string& name) {
  Store store;
  store.name = name;
  return store;
}

TEST(StoreRegistry, FindsByNameAndByDefault) {
  const StoreRegistry registry({Named("main"), Named("cache")}, "cache");
  EXPECT_EQ("main", registry.Find("main")->name);
  EXPECT_EQ("cache", registry.Find("_default")->name);
  EXPECT_EQ("cache", registry.default_store().name);
  EXPECT_EQ(nullptr, registry.Find("other"));
  EXPECT_EQ(nullptr, registry.Find(""));
  EXPECT_EQ(2u, registry.stores().size());
}

}  // namespace
}  // namespace holdfast::storage
