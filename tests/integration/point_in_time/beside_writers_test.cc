// A backup that is made beside writers, which is no snapshot on some backends: brought to any time from its end on, it
// is what a model of the writes was then. HOLDFAST_SEED chooses the writes and the times.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/time/duration.h"
#include "tests/integration/point_in_time/point_in_time_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;

constexpr char kAbsent[] = "404";
constexpr int kWriters = 4;
constexpr int kKeysOfAWriter = 25;
constexpr int kOthers = 4'000;

struct Done {
  std::string value;  // kAbsent: deleted, or expired by now
  Timestamp sent;
  Timestamp answered;
};
// What became of each key, in the order of the writes: it has one writer.
using History = std::map<std::string, std::vector<Done>>;

// All over the store.
std::string KeyOf(int writer, int number) {
  return fmt::format("{:05}-w{}", number * kOthers / kKeysOfAWriter, writer);
}

class Writer {
 public:
  Writer(const std::string& url, std::uint64_t seed, int number) : random_(seed + 1 + number), number_(number) {
    options_.base_url = url;
  }

  // Counts what was answered.
  void Run(const std::atomic<bool>& stop, std::atomic<std::uint64_t>& answers) {
    http::HttpClient client(options_);
    for (int i = 0; !stop; ++i) {
      const std::string key = KeyOf(number_, Below(kKeysOfAWriter));
      const int what = Below(10);
      http::ClientRequest request{"PUT", kKeys + key, {}, fmt::format("{}.{}", number_, i)};
      Done done{request.body, {}, {}};
      if (what < 3) {
        request = {"DELETE", kKeys + key, {}, ""};
        done.value = kAbsent;
      } else if (what < 5) {
        request.headers["Holdfast-TTL"] = "100ms";
        done.value = kAbsent;
      } else if (what < 6) {
        request.headers["Holdfast-TTL"] = "1h";
      }
      done.sent = SystemClock().Now();
      const auto answer = client.Send(request, Deadline::After(std::chrono::seconds{30}));
      done.answered = SystemClock().Now();
      ASSERT_TRUE(answer.ok()) << answer.error().ToString();
      ASSERT_TRUE(answer->status < 300 || answer->status == 404) << answer->status << answer->body;
      history_[key].push_back(done);
      ++answers;
    }
  }
  History& history() { return history_; }

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<std::uint64_t>(bound)); }

  http::ClientOptions options_;
  std::mt19937_64 random_;
  const int number_;
  History history_;
};

// What may stand there at the moment: the last that was answered by then, or one that was under way.
std::set<std::string> Allowed(const std::vector<Done>& of_key, Timestamp moment) {
  std::set<std::string> allowed{kAbsent};
  for (const Done& done : of_key) {
    if (done.sent > moment) break;
    if (done.answered <= moment) allowed.clear();
    allowed.insert(done.value);
  }
  return allowed;
}

class BesideWritersTest : public PointInTimeTest {
 protected:
  void SetUp() override {
    const char* const given = std::getenv("HOLDFAST_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::cout << "HOLDFAST_SEED=" << seed_ << "\n";
    random_.seed(seed_);
  }
  // So many entries that nobody changes, so that the backup takes a while.
  static void WriteOthers(Service& service) {
    for (int at = 0; at < kOthers;) {
      json operations = json::array();
      for (int i = 0; i < 1'000; ++i, ++at) {
        operations.push_back({{"op", "put"}, {"key", fmt::format("{:05}", at)}, {"value", std::to_string(at)}});
      }
      const json body{{"operations", operations}};
      ASSERT_EQ(
          service.Send("POST", "/v1/stores/main/batch", {{"Content-Type", "application/json"}}, body.dump()).status,
          200);
    }
  }
  // Keys that are not what they were at the moment.
  static std::vector<std::string> Wrong(Service& service, const History& history, const std::string& moment) {
    const Timestamp at = ParseTimestamp(moment).value();
    std::vector<std::string> wrong;
    for (const auto& [key, of_key] : history) {
      const std::string found = BodyOf(service, key);
      if (Allowed(of_key, at).count(found) == 0) wrong.push_back(key + "=" + found);
    }
    return wrong;
  }
  void ExpectAsAt(Service& service, const History& history, const std::string& moment) {
    const Finished done = Holdfast(service, {"restore", "--to-time", moment});
    ASSERT_EQ(done.exit_code, 0) << moment << ": " << done.errors;
    EXPECT_THAT(Wrong(service, history, moment), testing::IsEmpty()) << moment;
    for (int i = 0; i < 20; ++i) {
      const int other = static_cast<int>(random_() % kOthers);
      EXPECT_EQ(BodyOf(service, fmt::format("{:05}", other)), std::to_string(other));
    }
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
};

TEST_P(BesideWritersTest, AnyTimeBehindTheBackupIsExactly) {
  Service service = OpenWith("change_archive: true", "1s", "attempts: 2", "rate: 128Ki, ");
  WriteOthers(service);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> answers{0};
  std::vector<std::unique_ptr<Writer>> writers;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    writers.push_back(std::make_unique<Writer>(service.url(), seed_, w));
    threads.emplace_back([&, &writer = *writers.back()] { writer.Run(stop, answers); });
  }
  const Timestamp before = Moment();
  Backup(service, "one");
  const Timestamp behind = Moment();
  std::vector<std::string> moments;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t some = answers + random_() % 200;
    while (answers < some) std::this_thread::yield();
    moments.push_back(FormatTimestamp(Moment()));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  History history;
  std::size_t writes = 0;
  std::size_t beside = 0;
  for (const auto& writer : writers) {
    for (auto& [key, of_key] : writer->history()) {
      for (const Done& done : of_key) {
        ++writes;
        beside += done.sent > before && done.answered < behind ? 1 : 0;
      }
      history.emplace(key, std::move(of_key));
    }
  }
  std::cout << writes << " writes, " << beside << " of them beside the backup\n";
  EXPECT_GT(beside, 20U) << "the control";
  // Once the log reaches to where the backup ended.
  json restorable;
  ASSERT_TRUE(Eventually([&] {
    const json list = service.Json("GET", kBackups);
    if (list.contains("restorable")) restorable = list.at("restorable");
    return !restorable.is_null();
  }));
  // The first moment of all: what the backup found half-way is put right by then.
  moments.push_back(restorable.at("earliest").get<std::string>());
  const std::string earliest = moments.back();
  std::shuffle(moments.begin(), moments.end(), random_);
  for (const std::string& moment : moments) ExpectAsAt(service, history, moment);
  ASSERT_EQ(Holdfast(service, {"backup", "restore", "one"}).exit_code, 0);
  EXPECT_THAT(Wrong(service, history, earliest), testing::Not(testing::IsEmpty()))
      << "the control: the backup by itself is what was there at no time";
}

INSTANTIATE_TEST_SUITE_P(Everywhere, BesideWritersTest,
                         testing::Values(Where{"redis", "folder"}, Where{"redis_cluster", "folder"},
                                         Where{"postgres", "folder"}, Where{"rocksdb", "folder"}),
                         WhereName);

}  // namespace
}  // namespace holdfast
