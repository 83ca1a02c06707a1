#include "tests/integration/service/metrics_page.h"

#include <fstream>
#include <regex>
#include <sstream>

namespace holdfast {

MetricsPage ShownMetrics(const std::string& text) {
  MetricsPage page;
  std::istringstream metrics(text);
  const std::regex type("# TYPE ([a-z_]+) ([a-z]+)");
  const std::regex label("([a-z]+)=\"");
  std::string family;
  for (std::string line; std::getline(metrics, line);) {
    std::smatch match;
    if (std::regex_match(line, match, type)) {
      family = match[1];
      page.families.insert("`" + family + "` | " + std::string(match[2]));
      page.labels[family];
    } else if (!line.starts_with('#')) {
      for (auto it = std::sregex_iterator(line.begin(), line.end(), label); it != std::sregex_iterator(); ++it) {
        if ((*it)[1] != "le") page.labels[family].insert((*it)[1]);
      }
    }
  }
  return page;
}

MetricsPage DocumentedMetrics(std::string_view backend_type) {
  MetricsPage documented;
  std::ifstream page(HOLDFAST_DOCS "/metrics.md");
  const std::regex row(R"(\| `(holdfast_[a-z_]+)` \| ([a-z]+) \|([^|]*)\|.*)");
  const std::regex word("`([a-z]+)`");
  for (std::string line; std::getline(page, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    const auto says = [&](std::string_view words) { return line.find(words) != std::string::npos; };
    if (says("Only with a remote backend.") && backend_type != "postgres") continue;
    if (says("Only for rocksdb.") && backend_type != "rocksdb") continue;
    documented.families.insert("`" + std::string(match[1]) + "` | " + std::string(match[2]));
    const std::string names = match[3];
    auto& set = documented.labels[match[1]];
    for (auto it = std::sregex_iterator(names.begin(), names.end(), word); it != std::sregex_iterator(); ++it) {
      set.insert((*it)[1]);
    }
  }
  return documented;
}

}  // namespace holdfast
