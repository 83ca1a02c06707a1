// `holdfast copy` between RocksDB, PostgreSQL and Redis, beside services and killed on the way; export and import of a
// store on RocksDB, in CBOR, and gone on with.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_server.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const std::string kStore = "/v1/stores/main";
const std::string kItems = kStore + "/keys?values=true";

class CopyTest : public testing::Test {
 protected:
  CopyTest() : database_(postgres_servers::SharedServer()), redis_(redis_servers::RedisServer::Start().value()) {
    EXPECT_TRUE(postgres_servers::MakeEntrySchema(database_).ok());
  }

  std::string Postgres() const { return fmt::format("postgres, url: \"{}\", pool_max: 2", database_.Url()); }
  std::string Redis() const { return fmt::format("redis, url: \"{}\", pool_max: 2", redis_->Url()); }

  // Stores `rocks`, `pg` and `fast`, named so that the spaces of their keys differ.
  Process::Options Options(std::vector<std::string> words, const std::string& input = "") const {
    const std::string config = folder_.Write(
        "copy.yaml",
        fmt::format("data_dir: {}\nbackends: {{local: {{type: rocksdb}}, db: {{type: {}}}, ram: {{type: {}}}, "
                    "volatile: {{type: memory}}, one: {{type: rocksdb}}, two: {{type: rocksdb}}}}\n"
                    "stores: {{main: {{backend: local}}, pg: {{backend: db}}, fast: {{backend: ram}}, "
                    "gone: {{backend: volatile}}, moving: {{backend: one, migrate_to: two}}}}\n"
                    "default_store: main\n",
                    (folder_.path() / "data").string(), Postgres(), Redis()));
    words.insert(words.begin() + 1, {"--config", config});
    Process::Options options;
    options.words = std::move(words);
    options.input = input;
    return options;
  }
  Finished Run(std::vector<std::string> words, const std::string& input = "") const {
    return RunHoldfast(Options(std::move(words), input));
  }
  Finished Copy(const std::string& from, const std::string& to, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"copy", "--from", from, "--to", to});
    return Run(std::move(more));
  }
  // Keys of every kind of content, and many.
  void Fill(int many) const {
    Service service(folder_, "rocksdb");
    service.Send("PUT", kStore + "/keys/%ff%00", {{"Content-Type", "image/png"}}, std::string("\xff\x00", 2));
    service.Send("PUT", kStore + "/keys/rich",
                 {{"Holdfast-Metadata", R"({"b":1.5})"}, {"Holdfast-Tags", "b,a"}, {"Holdfast-TTL", "1h"}}, "");
    service.Send("PUT", kStore + "/keys/short", {{"Holdfast-TTL", "1ms"}}, "");
    service.Send("PUT", kStore + "/keys/elsewhere", {{"Holdfast-Namespace", "team-a"}}, "a");
    for (int i = 0; i < many; i += 1'000) {
      nlohmann::json operations = nlohmann::json::array();
      for (int k = i; k < std::min(many, i + 1'000); ++k) {
        operations.push_back({{"op", "put"}, {"key", fmt::format("many {:06}", k)}, {"value", std::to_string(k)}});
      }
      (void)service.Json("POST", kStore + "/batch", nlohmann::json{{"operations", operations}}.dump());
    }
    service.process().Signal(SIGTERM);
    EXPECT_EQ(0, service.process().Wait());
  }
  // Of an export: without versions and times, which begin anew in a copy.
  static std::string Content(const std::string& lines) {
    std::istringstream input(lines);
    std::string content;
    for (std::string line; std::getline(input, line);) {
      nlohmann::json item = nlohmann::json::parse(line);
      for (const char* name : {"etag", "created_at", "updated_at"}) item.erase(name);
      content += item.dump() + "\n";
    }
    return content;
  }
  std::string Exported(const std::string& store, const std::string& name_space = "default") const {
    const Finished exported = Run({"export", "--store", store, "--namespace", name_space});
    EXPECT_EQ(0, exported.exit_code) << exported.errors;
    return Content(exported.output);
  }
  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  static std::string Read(const std::string& path) {
    std::ifstream input(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
  }

  const TemporaryFolder folder_;
  const postgres_servers::FreshDatabase database_;
  const std::unique_ptr<redis_servers::RedisServer> redis_;
};

TEST_F(CopyTest, copy_rocksdb_to_postgres_to_redis_and_back_keeps_everything) {
  Fill(2'500);
  const std::string content = Exported("main");
  EXPECT_EQ(2'502, std::count(content.begin(), content.end(), '\n'));
  EXPECT_THAT(content, HasSubstr(R"("metadata":{"b":1.5})"));
  for (const auto& [from, to] : {std::pair("main", "pg"), std::pair("pg", "fast")}) {
    const Finished copied = Copy(from, to, {"--verify", "--all-namespaces"});
    EXPECT_EQ(0, copied.exit_code) << copied.errors;
    EXPECT_THAT(copied.errors, HasSubstr("2503 keys copied, 0 were the same, 0 kept because the target's are newer, 0 "
                                         "failed\n"));
    EXPECT_THAT(copied.errors, HasSubstr("2503 keys compared, all the same\n"));
    EXPECT_EQ(content, Exported(to));
    EXPECT_EQ(Exported("main", "team-a"), Exported(to, "team-a"));
  }
  EXPECT_EQ(0, Copy("fast", "main", {"--to-namespace", "back", "--verify"}).exit_code);
  EXPECT_EQ(content, Exported("main", "back"));
  const Finished again = Copy("main", "pg");
  EXPECT_THAT(again.errors, HasSubstr("0 keys copied, 2502 were the same, 0 kept"));
  EXPECT_THAT(Copy("main", "fast", {"--prefix", "many 00001", "--overwrite"}).errors,
              HasSubstr("10 keys copied, 0 were"));
}

TEST_F(CopyTest, copy_keeps_what_the_target_has_newer_and_verify_names_the_range) {
  Fill(1'000);
  ASSERT_EQ(0, Copy("main", "pg").exit_code);
  Service service(folder_, Postgres(), "stores: {pg: {backend: local}}\ndefault_store: pg\n");
  service.Send("PUT", "/v1/stores/pg/keys/many%20000700", {}, "newer");
  const Finished kept = Copy("main", "pg", {"--verify"});
  EXPECT_EQ(1, kept.exit_code);
  EXPECT_THAT(kept.errors, HasSubstr("0 keys copied, 1001 were the same, 1 kept because the target's are newer"));
  EXPECT_THAT(kept.errors, HasSubstr("in 1 keys, one is \"many 000700\"\n"));
  EXPECT_EQ("newer", service.Send("GET", "/v1/stores/pg/keys/many%20000700").body);
  const Finished overwritten = Copy("main", "pg", {"--verify", "--overwrite", "--prefix", "many 0007"});
  EXPECT_EQ(0, overwritten.exit_code) << overwritten.errors;
  EXPECT_EQ("700", service.Send("GET", "/v1/stores/pg/keys/many%20000700").body);
  // What only the target has is a difference, and stays.
  service.Send("PUT", "/v1/stores/pg/keys/zzz", {}, "");
  EXPECT_EQ(1, Copy("main", "pg", {"--verify"}).exit_code);
  EXPECT_EQ(200, service.Send("GET", "/v1/stores/pg/keys/zzz").status);
}

TEST_F(CopyTest, copy_goes_on_after_kill_where_its_file_says) {
  Fill(30'000);
  const std::string state = File("state");
  {
    Process copy(Options({"copy", "--from", "main", "--to", "pg", "--resume", state}));
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (!std::filesystem::exists(state) && copy.Running() && !patience.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    copy.Signal(SIGKILL);
    ASSERT_EQ(128 + SIGKILL, copy.Wait());
  }
  ASSERT_TRUE(std::filesystem::exists(state));
  const Finished other = Copy("main", "fast", {"--resume", state});
  EXPECT_EQ(2, other.exit_code);
  EXPECT_THAT(other.errors, HasSubstr("is of another run (copy main/default to pg/default"));
  const Finished rest = Copy("main", "pg", {"--resume", state, "--verify"});
  EXPECT_EQ(0, rest.exit_code) << rest.errors;
  EXPECT_THAT(rest.errors, HasSubstr("going on behind "));
  EXPECT_THAT(rest.errors, testing::Not(HasSubstr("\n30002 keys copied")));
  EXPECT_THAT(rest.errors, HasSubstr("30002 keys compared, all the same"));
  EXPECT_FALSE(std::filesystem::exists(state));
}

TEST_F(CopyTest, copy_refuses_what_it_cannot_do) {
  EXPECT_THAT(Copy("main", "pg").errors, HasSubstr("has no database in "));
  const auto refused = [&](const Finished& finished, const std::string& why) {
    EXPECT_EQ(2, finished.exit_code);
    EXPECT_THAT(finished.errors, HasSubstr(why));
  };
  refused(Run({"copy", "--from", "main"}), "--to is missing");
  refused(Copy("pg", "pg"), "are the same");
  refused(Copy("pg", "nowhere"), "there is no store nowhere");
  refused(Copy("pg", "gone"), "in the memory of the service");
  refused(Copy("pg", "moving"), "moves to another backend");
  refused(Copy("pg", "fast", {"--all-namespaces", "--to-namespace", "x"}), "contradicts --all-namespaces");
  refused(Copy("pg", "fast", {"--namespace", "No"}), "is no name of one");
  EXPECT_EQ(0, Copy("pg", "fast", {"--verify"}).exit_code);
  Service service(folder_, "rocksdb");
  const Finished held = Copy("main", "pg");
  EXPECT_EQ(3, held.exit_code);
  EXPECT_THAT(held.errors, HasSubstr("opening backend local"));
}

TEST_F(CopyTest, copy_stops_when_the_target_is_gone_and_says_so) {
  Fill(100);
  redis_->Kill();
  EXPECT_EQ(3, Copy("main", "fast", {"--health.start=1s"}).exit_code);
}

TEST_F(CopyTest, export_and_import_take_rocksdb_in_json_and_cbor) {
  Fill(1'500);
  const Finished cbor = Run({"export", "--format", "cbor"});
  EXPECT_EQ(0, cbor.exit_code) << cbor.errors;
  EXPECT_THAT(cbor.errors, HasSubstr("1502 items exported\n"));
  const Finished imported = Run({"import", "--store", "pg", "--format=cbor"}, cbor.output);
  EXPECT_EQ(0, imported.exit_code) << imported.errors;
  EXPECT_EQ(Exported("main"), Exported("pg"));
  const Finished into = Run({"import", "--namespace", "copy"}, Run({"export", "--store", "pg"}).output);
  EXPECT_EQ(0, into.exit_code) << into.errors;
  EXPECT_EQ(Exported("main"), Exported("main", "copy"));
  const Finished cut =
      Run({"import", "--store", "fast", "--format", "cbor"}, cbor.output.substr(0, cbor.output.size() - 1));
  EXPECT_EQ(1, cut.exit_code);
  EXPECT_THAT(cut.errors, HasSubstr("item 1502 is cut off"));
  EXPECT_EQ(2, Run({"export", "--format", "xml"}).exit_code);
}

TEST_F(CopyTest, export_goes_on_behind_the_last_whole_item) {
  Fill(1'500);
  for (const std::string format : {"json", "cbor"}) {
    const std::string whole = Run({"export", "--format", format}).output;
    const std::string file = File("items." + format);
    for (const std::size_t cut : {whole.size() / 2, whole.size() - 1, whole.size()}) {
      std::ofstream(file, std::ios::binary) << whole.substr(0, cut);
      const Finished rest = Run({"export", "--format", format, "--resume", file});
      EXPECT_EQ(0, rest.exit_code) << rest.errors;
      EXPECT_THAT(rest.errors, HasSubstr("1502 items exported\n"));
      EXPECT_TRUE(whole == Read(file)) << format << " cut at " << cut;
    }
    std::filesystem::remove(file);
    EXPECT_EQ(0, Run({"export", "--format", format, "--resume", file}).exit_code);
    EXPECT_TRUE(whole == Read(file));
  }
  std::ofstream(File("letter")) << "Dear reader";
  EXPECT_EQ(2, Run({"export", "--resume", File("letter")}).exit_code);
  EXPECT_EQ("Dear reader", Read(File("letter")));
}

TEST_F(CopyTest, import_goes_on_after_kill_and_takes_no_other_input) {
  std::string items;
  for (int n = 0; n < 60'000; ++n) items.append(fmt::format("{{\"key\":\"many {}\",\"value\":\"{}\"}}\n", n, n));
  const std::string state = File("state");
  {
    Process import(Options({"import", "--store", "pg", "--resume", state}, items));
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (!std::filesystem::exists(state) && import.Running() && !patience.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    import.Signal(SIGKILL);
    ASSERT_EQ(128 + SIGKILL, import.Wait());
  }
  const Finished other =
      Run({"import", "--store", "pg", "--resume", state}, "{\"key\":\"a\",\"value\":\"\"}\n" + items);
  EXPECT_EQ(1, other.exit_code);
  EXPECT_THAT(other.errors, HasSubstr("the input does not begin with what the run before has read"));
  const Finished rest = Run({"import", "--store", "pg", "--resume", state}, items);
  EXPECT_EQ(0, rest.exit_code) << rest.errors;
  EXPECT_THAT(rest.errors, HasSubstr("going on behind "));
  EXPECT_THAT(rest.errors, HasSubstr("60000 items imported, 0 not\n"));
  EXPECT_FALSE(std::filesystem::exists(state));
  const std::string exported = Run({"export", "--store", "pg"}).output;
  EXPECT_EQ(60'000, std::count(exported.begin(), exported.end(), '\n'));
}

}  // namespace
}  // namespace holdfast
