// A cluster on an API server double, and the plugin's verbs against it.
#pragma once

#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/kubectl/commands.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::kubectl {

using storagecluster::ClusterBench;

class VerbTest : public ::testing::Test {
 protected:
  using Verb = int (*)(const Arguments&, const Streams&);

  // With --server, and -n prod unless `arguments` name a namespace; the output of the run before is forgotten.
  int Run(Verb verb, Arguments arguments, const std::string& input = "") {
    out_.str("");
    error_.str("");
    in_.clear();
    in_.str(input);
    arguments.push_back("--server=" + bench_.url());
    arguments.insert(arguments.end(), {"-n", "prod"});
    return verb(arguments, {in_, out_, error_});
  }

  void CreateReadyCluster() {
    bench_.CreateCluster("demo", storagecluster::EmbeddedSpec());
    ASSERT_TRUE(bench_.Converge("demo"));
  }

  ClusterBench bench_{ClusterBench::Transport::kHttp};
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream error_;
};

}  // namespace holdfast::kubectl
