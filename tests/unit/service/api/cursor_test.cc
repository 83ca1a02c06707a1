#include "service/api/cursor.h"

#include <random>

namespace holdfast::api {
namespace {

const std::string kSecret(CursorSigner::kSecretBytes, 's');

ListPosition BehindKey(std::string key) {
  return {ListPosition::Kind::kBehindKey, std::move(key)};
}

ListScope Scope() {
  return {"main", "default", "p", "a", "b", "/", "size > 1", false};
}

TEST(CursorTest, RoundTripsAnyPosition) {
  std::mt19937_64 random{1};
  const CursorSigner signer(kSecret);
  for (std::size_t length = 1; length < 200; ++length) {
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(random()));
    for (const auto kind : {ListPosition::Kind::kBehindKey, ListPosition::Kind::kBehindPrefix}) {
      const auto back = signer.Decode(Scope(), signer.Encode(Scope(), {kind, bytes}));
      ASSERT_TRUE(back);
      EXPECT_TRUE(back->kind == kind && back->bytes == bytes);
    }
  }
}

TEST(CursorTest, FindsEveryFlippedBitAndEveryCut) {
  const CursorSigner signer(kSecret);
  const std::string cursor = signer.Encode(Scope(), BehindKey("some key"));
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    EXPECT_FALSE(signer.Decode(Scope(), cursor.substr(0, i))) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = cursor;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(signer.Decode(Scope(), damaged)) << i << " " << bit;
    }
  }
}

TEST(CursorTest, BelongsToItsListAndSecret) {
  const std::string cursor = CursorSigner(kSecret).Encode(Scope(), BehindKey("k"));
  EXPECT_TRUE(CursorSigner(kSecret).Decode(Scope(), cursor));
  EXPECT_FALSE(CursorSigner(std::string(CursorSigner::kSecretBytes, 't')).Decode(Scope(), cursor));
  const auto with = [](auto change) {
    ListScope scope = Scope();
    change(scope);
    return scope;
  };
  for (const ListScope& other : {
           with([](ListScope& s) { s.store = "other"; }),
           with([](ListScope& s) { s.name_space = "team-a"; }),
           with([](ListScope& s) { s.prefix = ""; }),
           with([](ListScope& s) { s.start = ""; }),
           with([](ListScope& s) { s.end = ""; }),
           with([](ListScope& s) { s.delimiter = ""; }),
           with([](ListScope& s) { s.filter = ""; }),
           with([](ListScope& s) { s.descending = true; }),
           // The same bytes, cut elsewhere.
           with([](ListScope& s) {
             s.prefix = "pa";
             s.start = "";
           }),
       }) {
    EXPECT_FALSE(CursorSigner(kSecret).Decode(other, cursor));
  }
}

// Clients keep cursors across upgrades and pass them between replicas: the text is a format.
TEST(CursorTest, FormatIsStable) {
  EXPECT_EQ(CursorSigner(kSecret).Encode(Scope(), BehindKey("key")),
            std::string("lLFVNOUEEEV2b6uT6L3m0GG4cYPf-cxXuAdPA8tWTaxra2V5"));
}

}  // namespace
}  // namespace holdfast::api
