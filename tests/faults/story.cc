#include "tests/faults/story.h"

#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::faults {
namespace {

using storagecluster::EmbeddedSpec;
using Action = Step::Action;

Json Replicas(int replicas) {
  return {{"service", {{"replicas", replicas}}}};
}

}  // namespace

Story Creation() {
  return {"creation", {{.action = Action::kCreate, .body = EmbeddedSpec()}}};
}

Story EmbeddedLife(const std::string& policy) {
  Json spec = EmbeddedSpec();
  spec["terminationPolicy"] = policy;
  Json grown = Replicas(1);
  grown["backends"] = EmbeddedSpec("2Gi").at("backends");
  return {"life" + policy,
          {{.action = Action::kCreate, .body = spec},
           {.action = Action::kPatchSpec, .body = Replicas(0)},
           {.action = Action::kPatchSpec, .body = grown},
           {.action = Action::kDelete},
           {.action = Action::kCreate, .body = spec}}};
}

Story BackAndForth() {
  return {"backAndForth",
          {{.action = Action::kCreate, .body = EmbeddedSpec()},
           {.action = Action::kPatchSpec, .body = Replicas(0)},
           {.action = Action::kPatchSpec, .body = Replicas(1)},
           {.action = Action::kPatchSpec, .body = Replicas(0)},
           {.action = Action::kPatchSpec, .body = Replicas(1)},
           {.action = Action::kDeleteChild, .kind = kube::kinds::kService, .name = "demo"}}};
}

}  // namespace holdfast::faults
