// The names, types and labels of metrics: those a service shows, and those docs/metrics.md promises.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace holdfast {

struct MetricsPage {
  std::set<std::string> families;                       // "`name` | type"
  std::map<std::string, std::set<std::string>> labels;  // by name; of those shown, empty without a series
};

MetricsPage ShownMetrics(const std::string& text);
// Of a service whose backends are all of this type.
MetricsPage DocumentedMetrics(std::string_view backend_type);

}  // namespace holdfast
