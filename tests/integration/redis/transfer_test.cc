// `holdfast import` and `holdfast export` over Redis, beside a running service.
#include <fmt/format.h>

#include "tests/integration/redis/redis_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

class RedisTransfer : public RedisServiceTest {
 protected:
  Finished Transfer(const std::string& command, const std::string& input, std::vector<std::string> words = {}) {
    const std::string config = second_folder_.Write(
        "transfer.yaml", fmt::format("backends: {{local: {{type: redis, url: \"{}\", pool_max: 4}}}}\n"
                                     "stores: {{main: {{backend: local}}}}\ndefault_store: main\n",
                                     server().Url()));
    words.insert(words.begin(), {command, "--config", config});
    Process::Options options;
    options.words = std::move(words);
    options.input = input;
    return RunHoldfast(options);
  }
};

TEST_F(RedisTransfer, redis_what_is_exported_can_be_imported_and_services_hear_of_it) {
  Service service = Start(first_folder_);
  ASSERT_EQ(service.Send("PUT", KeyPath("%ff%00"), {{"Content-Type", "image/png"}}, std::string("\xff\x00", 2)).status,
            201);
  ASSERT_EQ(service
                .Send("PUT", KeyPath("rich"),
                      {{"Holdfast-Metadata", R"({"b":1.50})"}, {"Holdfast-Tags", "b,a"}, {"Holdfast-TTL", "1h"}}, "")
                .status,
            201);
  for (int n = 0; n < 300; ++n) ASSERT_EQ(Put(service, fmt::format("many{}", n), std::to_string(n)).status, 201);
  const Finished exported = Transfer("export", "");
  EXPECT_EQ(exported.exit_code, 0) << exported.errors;
  EXPECT_THAT(exported.errors, HasSubstr("302 items exported\n"));
  EXPECT_EQ(exported.output,
            service.Send("GET", "/v1/stores/main/keys?values=true", {{"Accept", "application/x-ndjson"}}).body);

  const Finished imported = Transfer("import", exported.output, {"--namespace", "copy"});
  EXPECT_EQ(imported.exit_code, 0) << imported.errors;
  EXPECT_THAT(imported.errors, HasSubstr("302 items imported, 0 not\n"));
  // It counts what each namespace keeps from what it hears.
  EXPECT_TRUE(Eventually([&] { return service.Json("GET", "/v1/namespaces/copy")["usage"]["keys"] == 302; }));
  const auto copy = [&](const std::string& key) {
    return service.Send("GET", KeyPath(key), {{"Holdfast-Namespace", "copy"}});
  };
  EXPECT_EQ(copy("many299").body, "299");
  EXPECT_EQ(copy("%ff%00").body, std::string("\xff\x00", 2));
  EXPECT_EQ(copy("%ff%00").headers.at("Content-Type"), "image/png");
  const auto rich = service.Send("GET", KeyPath("rich"));
  for (const char* header : {"Holdfast-Metadata", "Holdfast-Tags", "Holdfast-Expires-At"}) {
    EXPECT_EQ(copy("rich").headers.at(header), rich.headers.at(header)) << header;
  }
}

TEST_F(RedisTransfer, redis_a_server_that_is_not_there_is_said_so) {
  Service service = Start(first_folder_);
  server().Kill();
  const Finished exported = Transfer("export", "", {"--health.start=1s"});
  EXPECT_EQ(exported.exit_code, 3);
  EXPECT_EQ(exported.output, "");
  EXPECT_THAT(exported.errors, HasSubstr("holdfast: "));
}

}  // namespace
}  // namespace holdfast
