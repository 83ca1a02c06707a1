// `holdfast import` and `holdfast export` beside a running service.
#include <fmt/format.h>

#include "base/time/deadline.h"
#include "tests/integration/postgres/twin_services.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const std::string kStore = "/v1/stores/main";

class ImportTest : public TwinServicesTest {
 protected:
  Finished Import(const std::string& input, std::vector<std::string> words = {}) const {
    return Transfer("import", input, std::move(words));
  }
  Finished Export(std::vector<std::string> words = {}) const { return Transfer("export", "", std::move(words)); }
  Finished Transfer(const std::string& command, const std::string& input, std::vector<std::string> words) const {
    const std::string config = folder_.Write(
        "import.yaml",
        fmt::format("backends:\n  db: {{type: postgres, url: \"{}\"}}\n"
                    "  volatile: {{type: memory}}\n"
                    "stores: {{main: {{backend: db}}, scratch: {{backend: volatile}}}}\ndefault_store: main\n",
                    Url()));
    words.insert(words.begin(), {command, "--config", config});
    Process::Options options;
    options.words = std::move(words);
    options.input = input;
    return RunHoldfast(options);
  }
  std::string Items(const std::string& name_space) {
    return on_postgres()
        .Send("GET", kStore + "/keys?values=true",
              {{"Holdfast-Namespace", name_space}, {"Accept", "application/x-ndjson"}})
        .body;
  }
  std::string ComparableItems(const std::string& name_space) {
    return Comparable(on_postgres().Send("GET", kStore + "/keys?values=true",
                                         {{"Holdfast-Namespace", name_space}, {"Accept", "application/x-ndjson"}}));
  }

  const TemporaryFolder folder_;
};

TEST_F(ImportTest, postgres_what_a_list_gives_can_be_imported) {
  Service& service = on_postgres();
  service.Send("PUT", kStore + "/keys/plain", {}, "value");
  service.Send("PUT", kStore + "/keys/%ff%00", {{"Content-Type", "image/png"}}, std::string("\xff\x00", 2));
  service.Send("PUT", kStore + "/keys/rich",
               {{"Holdfast-Metadata", R"({"b":1.50,"a":18446744073709551616})"}, {"Holdfast-Tags", "b,a"}}, "");
  service.Send("PUT", kStore + "/keys/short", {{"Holdfast-TTL", "1h"}}, "lived");
  std::string items = Items("default");
  for (int n = 0; n < 3'000; ++n) items.append(fmt::format("{{\"key\":\"many {}\",\"value\":\"{}\"}}\n", n % 2'000, n));
  for (int round = 0; round < 2; ++round) {
    const Finished finished = Import(items, {"--namespace", "copy"});
    EXPECT_EQ(finished.exit_code, 0) << finished.errors;
    EXPECT_THAT(finished.errors, HasSubstr("3004 items imported, 0 not\n"));
  }
  // The service beside it has heard of everything: it counts what each namespace keeps from what it hears.
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  std::uint64_t keys = 0;
  while (keys != 2'004 && !patience.Expired()) {
    keys = service.Json("GET", "/v1/namespaces/copy")["usage"]["keys"];
  }
  EXPECT_EQ(keys, 2'004u);
  EXPECT_EQ(Connect().Value("SELECT count(*) FROM holdfast.instances").value(), "1");
  // Of a key that is named twice the last one counts.
  EXPECT_EQ(service.Send("GET", kStore + "/keys/many%20999", {{"Holdfast-Namespace", "copy"}}).body, "2999");
  service.Send("DELETE", kStore + "/keys?prefix=many", {{"Holdfast-Namespace", "copy"}});
  EXPECT_EQ(ComparableItems("copy"), ComparableItems("default"));
  EXPECT_EQ(
      service.Send("GET", kStore + "/keys/short", {{"Holdfast-Namespace", "copy"}}).headers.at("Holdfast-Expires-At"),
      service.Send("GET", kStore + "/keys/short").headers.at("Holdfast-Expires-At"));
}

TEST_F(ImportTest, postgres_lines_that_cannot_be_imported_are_named_and_the_others_are) {
  const std::string items =
      "{\"key\":\"a\",\"value\":\"1\"}\n"
      "no item\n"
      "{\"key\":\"b\"}\n"
      "{\"key\":\"\",\"value\":\"\"}\n"
      "\n"
      "{\"key\":\"c\",\"value\":\"?\",\"encoding\":\"base64\"}\n"
      "{\"prefix\":\"d/\"}\n"
      "{\"key\":\"e\",\"value\":\"\",\"expires_at\":\"soon\"}\n"
      "{\"key\":\"f\",\"value\":\"\",\"tags\":[\"\"]}\n"
      "{\"key\":\"g\",\"value\":\"last\"}";
  const Finished finished = Import(items);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.errors, HasSubstr("2 items imported, 7 not\n"));
  for (const char* named : {"line 2: ", "line 3: invalid_argument: value is missing", "line 4: ",
                            "line 6: invalid_argument: ", "line 7: invalid_argument: \"prefix\" is no member",
                            "line 8: invalid_argument: expires_at is no instant", "line 9: invalid_argument: tags: "}) {
    EXPECT_THAT(finished.errors, HasSubstr(named));
  }
  EXPECT_EQ(on_postgres().Send("GET", kStore + "/keys/g").body, "last");
}

TEST_F(ImportTest, postgres_an_export_is_what_a_list_gives) {
  Service& service = on_postgres();
  service.Send("PUT", kStore + "/keys/%ff%00", {{"Content-Type", "image/png"}}, std::string("\xff\x00", 2));
  service.Send("PUT", kStore + "/keys/rich",
               {{"Holdfast-Metadata", R"({"b":1.50})"}, {"Holdfast-Tags", "b,a"}, {"Holdfast-TTL", "1h"}}, "");
  service.Send("PUT", kStore + "/keys/gone", {{"Holdfast-TTL", "1ms"}}, "");
  std::string items;
  for (int n = 0; n < 2'500; ++n) items.append(fmt::format("{{\"key\":\"many {}\",\"value\":\"{}\"}}\n", n, n));
  ASSERT_EQ(Import(items).exit_code, 0);
  const Finished whole = Export();
  EXPECT_EQ(whole.exit_code, 0) << whole.errors;
  EXPECT_EQ(whole.output, Items("default"));
  EXPECT_THAT(whole.errors, HasSubstr("2502 items exported\n"));
  const Finished part = Export({"--prefix", "many 24"});
  EXPECT_THAT(part.errors, HasSubstr("111 items exported\n"));
  EXPECT_EQ(std::count(part.output.begin(), part.output.end(), '\n'), 111);
  EXPECT_EQ(Export({"--namespace", "empty"}).output, "");
  EXPECT_EQ(Export({"--store", "scratch"}).exit_code, 2);
  EXPECT_EQ(Export({"--backends.db.schema=elsewhere"}).exit_code, 3);
}

TEST_F(ImportTest, postgres_import_refuses_what_it_cannot_write) {
  EXPECT_EQ(Import("", {"--store", "scratch"}).exit_code, 2);
  EXPECT_THAT(Import("", {"--store", "scratch"}).errors, HasSubstr("not on PostgreSQL"));
  EXPECT_EQ(Import("", {"--store", "nowhere"}).exit_code, 2);
  EXPECT_EQ(Import("", {"--namespace", "No"}).exit_code, 2);
  EXPECT_EQ(Import("", {"--backends.db.schema=elsewhere"}).exit_code, 3);
  EXPECT_EQ(Import("").exit_code, 0);
}

}  // namespace
}  // namespace holdfast
