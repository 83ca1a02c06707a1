#include <algorithm>
#include <ostream>

#include "base/config/yaml.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"
#include "operator/controllers/storagecluster/permissions.h"
#include "operator/kube/object.h"

namespace holdfast::cli {
namespace {

using kube::Json;
using storagecluster::PolicyRule;

constexpr char kCommand[] = "holdfast-operator rbac";
constexpr char kRbacGroup[] = "rbac.authorization.k8s.io";

constexpr char kUsage[] = R"(usage: holdfast-operator rbac [-n NAMESPACE]... [FLAGS]

Prints what the operator has to be allowed, ready for `kubectl apply -f -`: a ServiceAccount, a ClusterRole for all
namespaces or, with -n, a Role in each namespace that is named, a Role for the leader's lease, and their bindings. The
rules hold exactly the verbs that the operator uses.

  -n, --namespace NAME       a namespace with StorageClusters; may be repeated (default: all of them)
  --operator-namespace NAME  where the operator runs and keeps its lease (default: holdfast-system)
  --service-account NAME     whom it runs as (default: holdfast-operator)
  --rules                    print the rules alone, for templates: `watched` for every namespace with StorageClusters,
                             `own` for the operator's own
)";

struct RbacOptions {
  std::vector<std::string> namespaces;
  std::string operator_namespace = "holdfast-system";
  std::string service_account = "holdfast-operator";
  bool rules_only = false;
};

Json RulesToJson(const std::vector<PolicyRule>& rules) {
  Json list = Json::array();
  for (const PolicyRule& rule : rules) {
    list.push_back({{"apiGroups", Json::array({rule.group})}, {"resources", rule.resources}, {"verbs", rule.verbs}});
  }
  return list;
}

class Manifests {
 public:
  Manifests(const RbacOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void Print() {
    out_ << "# What holdfast-operator " << Version() << " has to be allowed; printed by `holdfast-operator rbac`.\n";
    Add({{"apiVersion", "v1"},
         {"kind", "ServiceAccount"},
         {"metadata", {{"name", options_.service_account}, {"namespace", options_.operator_namespace}}}});
    const std::vector<PolicyRule> watched = storagecluster::WatchedNamespaceRules();
    if (options_.namespaces.empty()) AddRole("", options_.service_account, watched);
    for (const std::string& ns : options_.namespaces) AddRole(ns, options_.service_account, watched);
    AddRole(options_.operator_namespace, options_.service_account + "-lease", storagecluster::LeaseRules());
  }

 private:
  void Add(const Json& object) { out_ << "---\n" << config::ToYaml(object); }

  // Role and binding; without a namespace those of the whole cluster.
  void AddRole(const std::string& ns, const std::string& name, const std::vector<PolicyRule>& rules) {
    const std::string scope = ns.empty() ? "Cluster" : "";
    Json metadata = {{"name", name}};
    if (!ns.empty()) metadata["namespace"] = ns;
    const std::string api_version = std::string(kRbacGroup) + "/v1";
    Add({{"apiVersion", api_version}, {"kind", scope + "Role"}, {"metadata", metadata}, {"rules", RulesToJson(rules)}});
    Add({{"apiVersion", api_version},
         {"kind", scope + "RoleBinding"},
         {"metadata", metadata},
         {"roleRef", {{"apiGroup", kRbacGroup}, {"kind", scope + "Role"}, {"name", name}}},
         {"subjects", Json::array({{{"kind", "ServiceAccount"},
                                    {"name", options_.service_account},
                                    {"namespace", options_.operator_namespace}}})}});
  }

  const RbacOptions& options_;
  std::ostream& out_;
};

}  // namespace

int RunRbac(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  RbacOptions options;
  if (!ParseFlags(
          kCommand, arguments,
          {RepeatedFlag({"-n", "--namespace"}, &options.namespaces),
           TextFlag({"--operator-namespace"}, &options.operator_namespace),
           TextFlag({"--service-account"}, &options.service_account), SwitchFlag({"--rules"}, &options.rules_only)},
          streams.error)) {
    return 2;
  }
  if (options.rules_only) {
    streams.out << config::ToYaml({{"watched", RulesToJson(storagecluster::WatchedNamespaceRules())},
                                   {"own", RulesToJson(storagecluster::LeaseRules())}});
    return 0;
  }
  std::sort(options.namespaces.begin(), options.namespaces.end());
  options.namespaces.erase(std::unique(options.namespaces.begin(), options.namespaces.end()), options.namespaces.end());
  Manifests(options, streams.out).Print();
  return 0;
}

}  // namespace holdfast::cli
