#include "service/backends/postgres/postgres_error.h"

#include <gtest/gtest.h>

#include <pqxx/except>
#include <stdexcept>

namespace holdfast::storage::postgres {
namespace {

std::string CodeOf(std::string_view sqlstate, StatementKind kind, bool lost = false, bool timed_out = false) {
  return std::string(ErrorCodeName(FailureOf(sqlstate, "ERROR:  words", kind, lost, timed_out).error.code()));
}

TEST(PostgresError, EverySqlstateHasItsCode) {
  const std::pair<std::string_view, std::string_view> rows[] = {{"25006", "unavailable"},
                                                                {"55000", "unavailable"},
                                                                {"40001", "unavailable"},
                                                                {"40P01", "unavailable"},
                                                                {"23505", "unavailable"},
                                                                {"53100", "resource_exhausted"},
                                                                {"53200", "resource_exhausted"},
                                                                {"53300", "unavailable"},
                                                                {"53400", "resource_exhausted"},
                                                                {"54000", "resource_exhausted"},
                                                                {"55P03", "unavailable"},
                                                                {"57014", "deadline_exceeded"},
                                                                {"57P03", "unavailable"},
                                                                {"28P01", "unavailable"},
                                                                {"3D000", "unavailable"},
                                                                {"42501", "failed_precondition"},
                                                                {"42P01", "failed_precondition"},
                                                                {"3F000", "failed_precondition"},
                                                                {"XX001", "corruption"},
                                                                {"XX002", "corruption"},
                                                                {"22P02", "internal"},
                                                                {"XX000", "internal"}};
  for (const auto& [sqlstate, code] : rows) {
    EXPECT_EQ(code, CodeOf(sqlstate, StatementKind::kRead)) << sqlstate;
    EXPECT_EQ(code, CodeOf(sqlstate, StatementKind::kWrite)) << sqlstate;
  }
}

// Nobody can tell whether a write took effect whose answer did not come.
TEST(PostgresError, ALostAnswerIsUnknownForWritesOnly) {
  EXPECT_EQ("outcome_unknown", CodeOf("", StatementKind::kWrite, true));
  EXPECT_EQ("unavailable", CodeOf("", StatementKind::kRead, true));
  EXPECT_EQ("outcome_unknown", CodeOf("", StatementKind::kWrite, true, true));
  EXPECT_EQ("deadline_exceeded", CodeOf("", StatementKind::kRead, true, true));
  for (const char* ended : {"57P01", "57P02", "57P05", "08006"}) {
    EXPECT_EQ("outcome_unknown", CodeOf(ended, StatementKind::kWrite)) << ended;
    EXPECT_TRUE(FailureOf(ended, "", StatementKind::kWrite, false, false).connection_lost) << ended;
  }
}

// libpqxx 6 throws them without a SQLSTATE: they were taken for a lost connection, and writes for unknown.
TEST(PostgresError, ConflictsThatTheLibraryThrowsWithoutASqlstateAreTriedAgain) {
  const pqxx::serialization_failure serialization("ERROR:  could not serialize access due to concurrent update");
  const pqxx::deadlock_detected deadlock("ERROR:  deadlock detected");
  const std::pair<const std::exception*, std::string_view> thrown[] = {{&serialization, "40001"}, {&deadlock, "40P01"}};
  for (const auto& [exception, sqlstate] : thrown) {
    const StatementFailure failure = FailureOf(*exception, StatementKind::kWrite, /*open=*/true, /*timed_out=*/false);
    EXPECT_EQ("unavailable", ErrorCodeName(failure.error.code()));
    EXPECT_EQ(sqlstate, failure.sqlstate);
    EXPECT_TRUE(failure.Retryable());
  }
}

TEST(PostgresError, OnlyWhatWasUndoneForOthersIsTriedAgain) {
  for (const char* again : {"40001", "40P01", "23505"}) {
    EXPECT_TRUE(FailureOf(again, "", StatementKind::kWrite, false, false).Retryable());
  }
  for (const char* never : {"", "57014", "25006", "53300"}) {
    EXPECT_FALSE(FailureOf(never, "", StatementKind::kWrite, false, false).Retryable());
  }
}

TEST(PostgresError, WhatAClientSentIsNotRepeated) {
  const StatementFailure failure = FailureOf("23505", "ERROR:  duplicate key\nDETAIL:  Key (key)=(secret) exists",
                                             StatementKind::kWrite, false, false);
  EXPECT_EQ(std::string::npos, failure.error.message().find("secret"));
  EXPECT_NE(std::string::npos, failure.error.message().find("duplicate key"));
}

TEST(PostgresError, ThePasswordInAUrlIsNotRepeated) {
  const Error refused = ConnectFailure(std::runtime_error("invalid percent-encoded token: \"pa%ss\""));
  EXPECT_EQ(std::string::npos, refused.message().find("pa%ss"));
  const Error down = ConnectFailure(std::runtime_error("connection to server at \"db\", port 5432 failed: refused\n"));
  EXPECT_NE(std::string::npos, down.message().find("port 5432 failed: refused"));
}

}  // namespace
}  // namespace holdfast::storage::postgres
