#include "service/status_page/status_page.h"

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::status_page {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Body(const std::string& path) {
  for (const http::StaticPage& page : Pages()) {
    if (page.path == path) return page.body;
  }
  ADD_FAILURE() << "there is no page " << path;
  return {};
}

std::set<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match) {
    found.insert(match->str(1));
  }
  return found;
}

TEST(StatusPage, LoadsNothingButItsOwnFiles) {
  const std::string html = Body("/");
  for (const std::string& path : Matches(html, R"re((?:src|href)="([^"]*)")re")) {
    if (path == "data:,") continue;  // no favicon
    const bool ours = path == "healthz" || path == "metrics" || !Body("/" + path).empty();
    EXPECT_TRUE(ours) << path;
  }
  for (const http::StaticPage& page : Pages()) {
    for (const char* elsewhere : {"http:", "https:", "\"//", "@import", "url("}) {
      EXPECT_THAT(page.body, Not(HasSubstr(elsewhere))) << page.path;
    }
  }
}

// What the policy forbids, and what would let an error text of a backend become markup.
TEST(StatusPage, HasNoScriptInHtmlAndNoHtmlInScript) {
  EXPECT_TRUE(Matches(Body("/"), R"((\son\w+=|\sstyle=|<style|<script>))").empty());
  EXPECT_TRUE(
      Matches(Body("/status.js"), R"((innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\())").empty());
}

TEST(StatusPage, ScriptFindsItsElementsAndMetrics) {
  const std::string script = Body("/status.js");
  const std::string html = Body("/");
  const std::set<std::string> ids = Matches(script, R"re(byId\("([\w-]+)"\))re");
  EXPECT_GE(ids.size(), 5U);
  for (const std::string& id : ids) EXPECT_THAT(html, HasSubstr("id=\"" + id + "\""));

  std::ifstream file(std::string(HOLDFAST_DOCS) + "/metrics.md");
  std::stringstream page;
  page << file.rdbuf();
  const std::set<std::string> metrics = Matches(script, R"re("(holdfast_\w+?)(?:_bucket)?")re");
  EXPECT_GE(metrics.size(), 8U);
  for (const std::string& metric : metrics) EXPECT_THAT(page.str(), HasSubstr("| `" + metric + "` |"));
}

}  // namespace
}  // namespace holdfast::status_page
