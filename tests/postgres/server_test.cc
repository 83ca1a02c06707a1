#include "tests/postgres/server.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/postgres/shared_server.h"

namespace holdfast::postgres_servers {
namespace {

TEST(PostgresServer, postgres_serves_with_checksums_in_utf8) {
  const FreshDatabase database;
  auto session = database.Connect();
  ASSERT_TRUE(session.ok()) << session.error().message();
  EXPECT_EQ(session->Value("SHOW data_checksums").value(), "on");
  EXPECT_EQ(session->Value("SHOW server_encoding").value(), "UTF8");
  EXPECT_EQ(session->Value("SELECT current_database()").value(), database.name());
  EXPECT_EQ(session->Query("SELECT $1::text || '!'", Row{"a'b"})->rows[0][0], "a'b!");
}

TEST(PostgresServer, postgres_tcp_asks_for_the_password) {
  EXPECT_TRUE(Session::Open(SharedServer().Url()).ok());
  EXPECT_FALSE(Session::Open(SharedServer().Url("postgres", {kSuperuser, "wrong"})).ok());
}

TEST(PostgresServer, postgres_tls_is_verified_in_full_and_plain_refused) {
  auto session = Session::Open(SharedTlsServer().Url());
  ASSERT_TRUE(session.ok()) << session.error().message();
  EXPECT_EQ(session->Value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").value(), "t");
  std::string plain = SharedTlsServer().Url();
  plain.replace(plain.find("verify-full"), std::string::npos, "disable");
  EXPECT_FALSE(Session::Open(plain).ok());
}

TEST(PostgresServer, postgres_keeps_port_and_data_over_stop_and_kill) {
  auto server = Server::Start();
  ASSERT_TRUE(server.ok()) << server.error().message();
  ASSERT_TRUE((*server)->Connect()->Execute("CREATE TABLE kept (n int)").ok());
  const std::uint16_t port = (*server)->port();
  ASSERT_TRUE((*server)->Restart().ok());
  ASSERT_TRUE((*server)->Connect()->Execute("INSERT INTO kept VALUES (1)").ok());
  (*server)->Kill();
  EXPECT_FALSE((*server)->Running());
  EXPECT_FALSE((*server)->Connect().ok());
  const Status again = (*server)->StartAgain();
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ((*server)->port(), port);
  EXPECT_EQ((*server)->Connect()->Value("SELECT count(*) FROM kept").value(), "1");
}

TEST(PostgresServer, postgres_frozen_answers_after_thaw) {
  auto server = Server::Start();
  ASSERT_TRUE(server.ok()) << server.error().message();
  auto session = (*server)->Connect();
  ASSERT_TRUE(session.ok());
  (*server)->Freeze();
  ASSERT_TRUE(session->Send("SELECT 7").ok());
  (*server)->Thaw();
  EXPECT_EQ(session->Finish()->rows[0][0], "7");
  // A frozen server ends with its object too.
  (*server)->Freeze();
}

TEST(PostgresServer, postgres_parameters_take_any_text) {
  auto server = Server::Start({.parameters = {{"work_mem", "8MB"}}});
  ASSERT_TRUE(server.ok()) << server.error().message();
  EXPECT_EQ((*server)->Connect()->Value("SHOW work_mem").value(), "8MB");
  ASSERT_TRUE((*server)->SetParameter("log_line_prefix", "it's \\ %p ").ok());
  const Deadline deadline = Deadline::After(std::chrono::seconds{30});
  while ((*server)->Connect()->Value("SHOW log_line_prefix").value() != "it's \\ %p " && !deadline.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ((*server)->Connect()->Value("SHOW log_line_prefix").value(), "it's \\ %p ");
}

// The child starts a server, says which, and is killed without a chance to clean up.
TEST(PostgresServer, postgres_and_its_folder_go_when_the_test_is_killed) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto server = Server::Start();
    if (!server.ok()) _exit(1);
    (*server)->Freeze();
    const std::string line = std::to_string((*server)->pid()) + " " + (*server)->folder().string() + "\n";
    if (write(ends[1], line.data(), line.size()) < 0) _exit(1);
    pause();
  }
  close(ends[1]);
  std::string said;
  for (char c = 0; read(ends[0], &c, 1) == 1 && c != '\n';) said += c;
  close(ends[0]);
  ASSERT_NE(said, "");
  const pid_t server = std::stoi(said);
  const std::filesystem::path folder = said.substr(said.find(' ') + 1);
  ASSERT_EQ(kill(server, 0), 0);
  ASSERT_TRUE(std::filesystem::exists(folder));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const Deadline deadline = Deadline::After(std::chrono::seconds{30});
  while ((kill(server, 0) == 0 || std::filesystem::exists(folder)) && !deadline.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_NE(kill(server, 0), 0);
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace holdfast::postgres_servers
