// Who reads the history of a backend that several instances share, page by page.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "service/storage/backend.h"
#include "service/storage/change_history.h"

namespace holdfast::storage {

// What the keys of the store begin with that is followed.
inline const std::string kArchived("main\0", 5);

inline std::string ArchivedKey(const std::string& name) {
  return kArchived + name;
}

inline Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

// A reader that comes back from a position that it was given, as the shipper does.
class Follower {
 public:
  explicit Follower(ChangeHistory& history) : history_(history) { Step(); }

  // A page; false: there is no more at the moment.
  bool Step(std::size_t most_bytes = std::size_t{1} << 20) {
    auto page = history_.Read(position_, kArchived, most_bytes, Soon());
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return false;
    position_ = page->position;
    gap_ = page->gap;
    until_ = page->until;
    pages_.push_back(page->changes);
    for (const KeyChange& change : page->changes) {
      EXPECT_GE(change.at, newest_) << "pages are put in their order by the shipper, within one they are";
      newest_ = change.at;
      all_.push_back(change);
    }
    newest_ = Timestamp{};
    return !page->complete;
  }
  void ToTheEnd(std::size_t most_bytes) {
    while (Step(most_bytes)) {
    }
  }
  void Release() { history_.Release(position_, Soon()); }

  const std::vector<KeyChange>& all() const { return all_; }
  const std::vector<std::vector<KeyChange>>& pages() const { return pages_; }
  const std::string& gap() const { return gap_; }
  const std::string& position() const { return position_; }
  Timestamp until() const { return until_; }

 private:
  ChangeHistory& history_;
  std::string position_;
  std::string gap_;
  Timestamp until_{};
  Timestamp newest_{};
  std::vector<KeyChange> all_;
  std::vector<std::vector<KeyChange>> pages_;
};

// Two instances write, with transactions, while somebody reads small pages and lets go of what was read.
inline void ExpectEachChangeOnceInItsOrder(Backend& one, Backend& other, ChangeHistory& history) {
  Follower follower(history);
  constexpr int kWrites = 60;
  std::atomic<int> writing{4};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      Backend& backend = w % 2 == 0 ? one : other;
      for (int i = 0; i < kWrites; ++i) {
        Transaction transaction;
        const std::string value = std::to_string(w) + "-" + std::to_string(i);
        transaction.then = {Operation::Put(ArchivedKey("a"), value), Operation::Put(ArchivedKey("b"), value),
                            Operation::Put("elsewhere", value)};
        EXPECT_TRUE(backend.Transact(transaction, Soon()).ok());
        EXPECT_TRUE(
            ExecuteOne(backend, Operation::Put(ArchivedKey("own" + std::to_string(w)), value), Soon()).status.ok());
      }
      --writing;
    });
  }
  // Small pages, and places to read on from that are let go of, while others write.
  while (writing > 0) {
    follower.Step(20);
    follower.Release();
  }
  for (std::thread& writer : writers) writer.join();
  follower.ToTheEnd(20);

  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, Version> versions;
  for (const KeyChange& change : follower.all()) {
    ASSERT_TRUE(change.entry);
    EXPECT_GT(change.entry->version, versions[change.key]) << "changes of a key are in their order";
    versions[change.key] = change.entry->version;
    values[change.key].push_back(change.entry->value);
  }
  EXPECT_EQ(values[ArchivedKey("a")].size(), 4U * kWrites);
  EXPECT_EQ(values[ArchivedKey("a")], values[ArchivedKey("b")]);
  for (int w = 0; w < 4; ++w) EXPECT_EQ(values[ArchivedKey("own" + std::to_string(w))].size(), std::size_t{kWrites});
  EXPECT_EQ(values.size(), 6U);
  EXPECT_GT(follower.pages().size(), 10U);
  for (const auto& page : follower.pages()) {
    std::map<std::string, std::vector<std::pair<std::string, Timestamp>>> pairs;
    for (const KeyChange& change : page) pairs[change.key].emplace_back(change.entry->value, change.at);
    EXPECT_EQ(pairs[ArchivedKey("a")], pairs[ArchivedKey("b")]) << "a transaction was cut, or has two times";
  }
  EXPECT_EQ(ExecuteOne(one, Operation::Get(ArchivedKey("a")), Soon()).entry->value, values[ArchivedKey("a")].back());
}

// The claim goes to and fro, and is the first's in the end.
inline void ExpectOneClaims(ChangeHistory& first, ChangeHistory& second) {
  EXPECT_TRUE(first.Claim(kArchived, Soon()).value());
  EXPECT_FALSE(second.Claim(kArchived, Soon()).value());
  EXPECT_TRUE(first.Claim(kArchived, Soon()).value());
  first.Yield(kArchived, Soon());
  EXPECT_TRUE(second.Claim(kArchived, Soon()).value());
  second.Yield(kArchived, Soon());
  EXPECT_TRUE(first.Claim(kArchived, Soon()).value());
}

}  // namespace holdfast::storage
