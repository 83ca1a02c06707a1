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

Story FillingLife() {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  Json spec = storagecluster::GrowingSpec("3Gi");
  spec["terminationPolicy"] = "Delete";
  return {"filling",
          {{.action = Action::kFillDisk, .bytes = kGibibyte / 2},
           {.action = Action::kCreate, .body = spec},
           {.action = Action::kFillDisk, .bytes = kGibibyte},
           {.action = Action::kFillDisk, .bytes = 3 * kGibibyte},
           {.action = Action::kDelete},
           {.action = Action::kCreate, .body = spec}}};
}

Story DatabaseLife() {
  // One server is enough: what many have more is more of the same.
  Json spec = storagecluster::PostgresSpec();
  spec["backends"][0]["postgres"]["instances"] = 1;
  spec["backends"][0]["postgres"]["pooler"] = {{"instances", 0}};
  return {"database",
          {{.action = Action::kCreate, .body = spec},
           {.action = Action::kUpgrade, .name = "holdfast:next"},
           {.action = Action::kUpgrade, .name = "holdfast:test"},
           {.action = Action::kDelete},
           {.action = Action::kCreate, .body = spec}}};
}

Story TlsLife() {
  const auto enabled = [](bool on) { return Json{{"service", {{"tls", {{"enabled", on}}}}}}; };
  Json spec = storagecluster::MemorySpec();
  spec.update(enabled(true));
  return {"tls",
          {{.action = Action::kCreate, .body = spec},
           {.action = Action::kPatchSpec, .body = enabled(false)},
           {.action = Action::kPatchSpec, .body = enabled(true)},
           {.action = Action::kDeleteChild, .kind = kube::kinds::kConfigMap, .name = "demo-ca"},
           {.action = Action::kDeleteChild, .kind = kube::kinds::kSecret, .name = "demo-tls"},
           {.action = Action::kDelete},
           {.action = Action::kCreate, .body = spec}}};
}

Story CacheLife() {
  Json spec = storagecluster::RedisSpec();
  spec["terminationPolicy"] = "Delete";
  Json grown = {{"backends", storagecluster::RedisSpec("2Gi").at("backends")}};
  grown["backends"][0]["redis"]["maxMemory"] = "512Mi";
  return {"cache",
          {{.action = Action::kCreate, .body = spec},
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
