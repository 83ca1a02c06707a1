#include "operator/api/v1/replicated_rules.h"

#include <algorithm>
#include <array>

#include "operator/api/v1/store_rules.h"

namespace holdfast::api {
namespace {

constexpr char kReplicated[] = "replicated";
constexpr char kBackends[] = "backends";
// What decides which replicas have what was acknowledged.
constexpr std::array kFixed = {kBackends, "mode", "writeQuorum", "readQuorum"};

// In CEL and in C++: a quorum that is absent is a majority.
std::string QuorumInCel(const std::string& name) {
  return "(has(self." + name + ") ? self." + name + " : self.backends.size() / 2 + 1)";
}

std::size_t Quorum(const Json& replicated, const char* name) {
  const std::size_t majority = replicated.at(kBackends).size() / 2 + 1;
  return replicated.contains(name) ? replicated.at(name).get<std::size_t>() : majority;
}

// "readQuorum" where it was given, since that is what can be mended.
std::string GivenQuorum(const Json& replicated) {
  return replicated.contains("readQuorum") ? "readQuorum" : "writeQuorum";
}

Rule NoneTwiceRule() {
  return {.cel = "self.backends.all(a, self.backends.exists_one(b, b == a))",
          .message = "backends must be different ones: each replica needs its own",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const Json& backends = self.at(kBackends);
            const bool different = std::all_of(backends.begin(), backends.end(), [&](const Json& backend) {
              return std::count(backends.begin(), backends.end(), backend) == 1;
            });
            if (different) return {};
            return {kBackends};
          },
          .field_path = ".backends"};
}

Rule QuorumFitsRule(const std::string& name) {
  return {.cel = "!has(self." + name + ") || self." + name + " <= self.backends.size()",
          .message = name + " must not be above the number of backends; lower it, or name more",
          .broken_at = [name](const Json& self, const Json*) -> std::vector<std::string> {
            if (Quorum(self, name.c_str()) <= self.at(kBackends).size()) return {};
            return {name};
          },
          .field_path = "." + name};
}

Rule QuorumsMeetRule() {
  const std::string write = QuorumInCel("writeQuorum");
  const std::string read = QuorumInCel("readQuorum");
  return {.cel = "self.mode == 'Eventual' || (" + write + " + " + read + " > self.backends.size() && 2 * " + write +
                 " > self.backends.size())",
          .message =
              "readQuorum and writeQuorum must be more than the backends together, or reads miss what was "
              "acknowledged, and writeQuorum more than half of them; raise them, or say mode: Eventual",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const std::size_t replicas = self.at(kBackends).size();
            const std::size_t writes = Quorum(self, "writeQuorum");
            const bool meet = writes + Quorum(self, "readQuorum") > replicas && 2 * writes > replicas;
            if (self.at("mode") == "Eventual" || meet) return {};
            return {GivenQuorum(self)};
          }};
}

Rule RateOfComparisonRule() {
  return {.cel = "!has(self.compareRate) || has(self.compareInterval)",
          .message = "compareRate has no meaning without compareInterval; say how often there, or leave it out",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains("compareRate") || self.contains("compareInterval")) return {};
            return {"compareRate"};
          },
          .field_path = ".compareRate"};
}

Rule ReplicasStayRule() {
  const auto kept = [](const std::string& name) {
    return "has(self." + name + ") == has(oldSelf." + name + ") && (!has(self." + name + ") || self." + name +
           " == oldSelf." + name + ")";
  };
  return {.cel = "self.backends == oldSelf.backends && self.mode == oldSelf.mode && " + kept("writeQuorum") + " && " +
                 kept("readQuorum"),
          .message =
              "backends, mode and quorums cannot change: which replicas have what was acknowledged follows from them; "
              "add a store under another name, and copy",
          .broken_at =
              [](const Json& self, const Json* old) {
                std::vector<std::string> broken;
                for (const char* name : kFixed) {
                  if (self.value(name, Json()) != old->value(name, Json())) broken.emplace_back(name);
                }
                return broken;
              },
          .transition = true};
}

// The places of all stores that have a replica of which `broken` says so.
std::vector<std::string> PathsOfReplicas(const Json& spec,
                                         const std::function<bool(const Json& store, const Json& name)>& broken) {
  std::vector<std::string> paths;
  const Json& stores = spec.at("stores");
  for (std::size_t i = 0; i < stores.size(); ++i) {
    if (!stores[i].contains(kReplicated)) continue;
    const Json& names = stores[i].at(kReplicated).at(kBackends);
    if (std::any_of(names.begin(), names.end(), [&](const Json& name) { return broken(stores[i], name); })) {
      paths.push_back("stores[" + std::to_string(i) + "].replicated.backends");
    }
  }
  return paths;
}

}  // namespace

std::vector<Rule> ReplicatedRules() {
  return {NoneTwiceRule(),   QuorumFitsRule("writeQuorum"), QuorumFitsRule("readQuorum"),
          QuorumsMeetRule(), RateOfComparisonRule(),        ReplicasStayRule()};
}

Rule StoreStaysReplicatedRule() {
  return {.cel = "has(self.replicated) == has(oldSelf.replicated)",
          .message =
              "a store neither becomes replicated nor stops being it, because the rows of the one are none of the "
              "other: add a store under another name, and copy",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            if (self.contains(kReplicated) == old->contains(kReplicated)) return {};
            return {kReplicated};
          },
          .transition = true};
}

Rule ReplicasAreEmbeddedRule() {
  return {.cel =
              "self.stores.all(s, !has(s.replicated) || self.backends.all(b, has(b.embedded) || "
              "!(b.name in s.replicated.backends)))",
          .message =
              "replicated.backends must be embedded backends, each of which has a volume of its own then: memory is "
              "lost with the pod, and servers are reached by several pods, which would not agree on who decides; "
              "postgres and redis replicate themselves",
          .broken_at =
              [](const Json& self, const Json*) {
                return PathsOfReplicas(self, [&](const Json&, const Json& name) {
                  const Json& backends = self.at("backends");
                  return std::any_of(backends.begin(), backends.end(), [&](const Json& backend) {
                    return backend.at("name") == name && !backend.contains("embedded");
                  });
                });
              },
          .field_path = ".stores"};
}

Rule ReplicaBelongsToStoreRule() {
  return {.cel =
              "self.backends.all(b, !self.stores.exists(s, has(s.replicated) && b.name in s.replicated.backends) || "
              "self.stores.filter(s, " +
              UsesInCel() + ").size() == 1)",
          .message =
              "a backend of replicated.backends belongs to that store alone: name it in no other store; add an "
              "embedded backend for that",
          .broken_at =
              [](const Json& self, const Json*) {
                return PathsOfReplicas(self, [&](const Json& store, const Json& name) {
                  const Json& stores = self.at("stores");
                  return std::any_of(stores.begin(), stores.end(), [&](const Json& other) {
                    return other.at("name") != store.at("name") && Uses(other, name.get<std::string>());
                  });
                });
              },
          .field_path = ".stores"};
}

}  // namespace holdfast::api
