// The plan is what the operator's own reconciler does when nothing of it is written: there is no second opinion on what
// a spec leads to.
#include <ostream>

#include "base/config/yaml.h"
#include "operator/api/v1/annotations.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/cli/manifest_input.h"
#include "operator/controllers/storagecluster/controller.h"
#include "operator/controllers/storagecluster/setup.h"
#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/kubectl/dry_run_client.h"
#include "operator/resources/names.h"

namespace holdfast::kubectl {
namespace {

constexpr char kCommand[] = "kubectl holdfast plan";
constexpr std::size_t kMostDifferences = 20;
constexpr std::size_t kLongestValue = 60;

constexpr char kUsage[] = R"(usage: kubectl holdfast plan NAME | -f FILE [FLAGS]

Prints what the operator would do next, without doing it: for the StorageCluster NAME as it is, or if the StorageCluster in
FILE were applied. The API server checks every object (as a dry run), so that what it would refuse is said. The steps that
follow on these, once pods are ready, are not shown. Needs the rights of the operator to read and to apply.

  -f, --filename FILE    a YAML file with one StorageCluster; - reads standard input
  -o, --output FORMAT    text, or json (default: text)
  --service-image IMAGE  the state service's image (default: what runs, else that of this version)
)";

// A list that was taken once.
class ListedCopies : public kube::Lister {
 public:
  explicit ListedCopies(std::vector<Json> objects) {
    for (Json& object : objects) {
      const kube::ObjectKey key = kube::KeyOf(object);
      objects_[key] = std::make_shared<const Json>(std::move(object));
    }
  }
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
  }
  std::vector<kube::ObjectPtr> List(const std::string& ns) const override {
    std::vector<kube::ObjectPtr> found;
    for (const auto& [key, object] : objects_) {
      if (ns.empty() || key.ns == ns) found.push_back(object);
    }
    return found;
  }

 private:
  std::map<kube::ObjectKey, kube::ObjectPtr> objects_;
};

class NoEvents : public kube::EventRecorder {
 public:
  void Record(const Json&, kube::EventType, std::string_view, std::string_view) override {}
};

Result<Json> ReadManifest(const std::string& file, const Streams& streams) {
  const std::string name = cli::NameOfInput(file);
  HOLDFAST_ASSIGN_OR_RETURN(const std::string text, cli::ReadManifestInput(file, streams.in));
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Json> documents, config::ParseYamlDocuments(text, name));
  if (documents.size() != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 name + " has " + std::to_string(documents.size()) + " objects; a plan is of one StorageCluster");
  }
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(documents.front());
  if (!parsed.cluster) return Error(ErrorCode::kInvalidArgument, name + ": " + api::Summarize(parsed.errors));
  return documents.front();
}

// The image of the pods that run, or "".
std::string RunningImage(kube::Client& client, const kube::ObjectKey& cluster, Deadline deadline) {
  for (const kube::ResourceKind& kind :
       {kube::kinds::kStatefulSet, kube::ResourceKind{"apps", "v1", "Deployment", "deployments", true}}) {
    const auto live = client.Get(kind, cluster, deadline);
    if (!live.ok()) continue;
    static const Json::json_pointer containers("/spec/template/spec/containers");
    if (!live->contains(containers)) continue;
    for (const Json& container : live->at(containers)) {
      if (container.value("name", "") == resources::kServiceContainer) return container.value("image", "");
    }
  }
  return {};
}

struct PlanResult {
  std::vector<PlannedWrite> writes;
  std::string error;  // what ended it before its end, or ""
};

Result<PlanResult> MakePlan(const Connection& connection, const kube::ObjectKey& key, const Json& manifest,
                            std::string image, Deadline deadline) {
  DryRunClient client(connection.client);
  if (!manifest.is_null()) {
    kube::ApplyOptions options;
    options.field_manager = "kubectl-holdfast";
    options.dry_run = true;
    // A dry run: with the server's defaults, and its refusal if the change may not be.
    HOLDFAST_ASSIGN_OR_RETURN(Json applied,
                              connection.client->Apply(kube::kinds::kStorageCluster, manifest, options, deadline));
    client.Show(kube::kinds::kStorageCluster, std::move(applied));
  }
  HOLDFAST_ASSIGN_OR_RETURN(Json cluster, client.Get(kube::kinds::kStorageCluster, key, deadline));
  // What it would do if it were let: that is what one wants to know of a paused cluster before it goes on.
  static const Json::json_pointer annotations("/metadata/annotations");
  if (cluster.contains(annotations)) cluster["metadata"]["annotations"].erase(api::kPausedAnnotation);
  client.Show(kube::kinds::kStorageCluster, cluster);

  std::vector<std::unique_ptr<ListedCopies>> listed;
  Status failed;
  const storagecluster::Copies copies = storagecluster::CopiesFrom(
      [&](const kube::ResourceKind& kind, bool ours_only, const std::function<void(Json&)>& trim) {
        kube::ListOptions options;
        if (ours_only) options.label_selector = resources::kManagedBySelector;
        std::vector<Json> objects;
        if (kind == kube::kinds::kStorageCluster) {
          objects.push_back(cluster);
        } else if (auto list = client.List(kind, key.ns, options, deadline); list.ok()) {
          objects = std::move(list->items);
        } else {
          failed = std::move(list).error();
        }
        for (Json& object : objects) {
          if (trim) trim(object);
        }
        return listed.emplace_back(std::make_unique<ListedCopies>(std::move(objects))).get();
      });
  if (!failed.ok()) return failed.error();
  if (image.empty()) image = RunningImage(*connection.client, key, deadline);
  storagecluster::ControllerConfig config;
  config.service_image = image.empty() ? cli::DefaultServiceImage() : image;
  NoEvents events;
  storagecluster::ClusterReconciler reconciler(
      client, events, [&](const std::string&) -> const storagecluster::Copies& { return copies; }, config,
      SystemClock());
  const auto outcome = reconciler.Reconcile(key, {});
  PlanResult result{.writes = client.writes(), .error = {}};
  if (!outcome.ok()) result.error = outcome.error().message();
  return result;
}

// Without what the server keeps for itself.
Json Comparable(Json object) {
  object.erase("status");
  if (object.contains("metadata")) {
    for (const char* field : {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"}) {
      object["metadata"].erase(field);
    }
    if (object["metadata"].contains("annotations")) {
      object["metadata"]["annotations"].erase(resources::kDesiredHashAnnotation);
    }
  }
  return object;
}

std::string Shown(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find('\n') != std::string::npos) return "(" + std::to_string(text.size()) + " bytes)";
  return text.size() <= kLongestValue ? text : text.substr(0, kLongestValue) + "...";
}

// "/spec/replicas: 1 -> 3", for each field that differs. Values of Secrets are not shown.
std::vector<std::string> Differences(const PlannedWrite& write) {
  std::vector<std::string> lines;
  if (write.before.is_null() || write.after.is_null()) return lines;
  const Json before = Comparable(write.before);
  for (const Json& step : Json::diff(before, Comparable(write.after))) {
    if (lines.size() == kMostDifferences) {
      lines.emplace_back("...");
      break;
    }
    const std::string path = step.at("path").get<std::string>();
    if (write.kind == kube::kinds::kSecret) {
      lines.push_back(path);
      continue;
    }
    const Json::json_pointer pointer(path);
    const std::string was = before.contains(pointer) ? Shown(before.at(pointer)) : "nothing";
    lines.push_back(path + ": " + was + " -> " + (step.contains("value") ? Shown(step.at("value")) : "nothing"));
  }
  return lines;
}

// The conditions that a write of the status would change: "Ready False RollingOut: ...".
std::vector<std::string> Conditions(const PlannedWrite& write) {
  static const Json::json_pointer pointer("/status/conditions");
  std::vector<std::string> lines;
  if (!write.after.contains(pointer)) return lines;
  for (const Json& condition : write.after.at(pointer)) {
    lines.push_back(condition.value("type", "") + " " + condition.value("status", "") + " " +
                    condition.value("reason", "") + ": " + condition.value("message", ""));
  }
  return lines;
}

void PrintText(const PlanResult& plan, const kube::ObjectKey& key, std::ostream& out) {
  std::size_t changes = 0;
  for (const PlannedWrite& write : plan.writes) {
    if (write.verb == "status") continue;
    ++changes;
    out << write.verb << " " << write.kind.kind << " " << write.key.ToString() << "\n";
    for (const std::string& line : Differences(write)) out << "    " << line << "\n";
  }
  if (changes == 0 && plan.error.empty()) out << "nothing to do for StorageCluster " << key.ToString() << "\n";
  for (const PlannedWrite& write : plan.writes) {
    if (write.verb != "status") continue;
    out << "the status would say\n";
    for (const std::string& line : Conditions(write)) out << "    " << line << "\n";
  }
}

Json ToJson(const PlanResult& plan) {
  Json list = Json::array();
  for (const PlannedWrite& write : plan.writes) {
    list.push_back({{"verb", write.verb},
                    {"kind", write.kind.kind},
                    {"namespace", write.key.ns},
                    {"name", write.key.name},
                    {"differences", write.verb == "status" ? Conditions(write) : Differences(write)}});
  }
  return {{"writes", std::move(list)}, {"error", plan.error}};
}

}  // namespace

int RunPlan(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kUsage << kCommonUsage;
    return 0;
  }
  std::string file;
  std::string output = "text";
  std::string image;
  const auto common = Parse(kCommand, arguments,
                            {cli::TextFlag({"-f", "--filename"}, &file), cli::TextFlag({"-o", "--output"}, &output),
                             cli::TextFlag({"--service-image"}, &image)},
                            1, streams);
  if (!common) return 2;
  if (common->names.empty() == file.empty() || (output != "text" && output != "json")) {
    streams.error << kCommand
                  << ": give either the name of a StorageCluster or -f FILE, and text or json as --output\n";
    return 2;
  }
  Json manifest;
  if (!file.empty()) {
    auto read = ReadManifest(file, streams);
    if (!read.ok()) return Fail(kCommand, read.error(), streams);
    manifest = std::move(read).value();
  }
  const auto connection = Connect(*common);
  if (!connection.ok()) return Fail(kCommand, connection.error(), streams);
  kube::ObjectKey key{connection->ns, manifest.is_null() ? common->names.front() : kube::KeyOf(manifest).name};
  if (!manifest.is_null()) {
    if (common->ns.empty() && !kube::KeyOf(manifest).ns.empty()) key.ns = kube::KeyOf(manifest).ns;
    manifest["metadata"]["namespace"] = key.ns;
  }
  const auto plan = MakePlan(*connection, key, manifest, image, VerbDeadline());
  if (!plan.ok()) return Fail(kCommand, plan.error(), streams);
  if (output == "json") {
    streams.out << ToJson(*plan).dump(2) << "\n";
  } else {
    PrintText(*plan, key, streams.out);
  }
  if (plan->error.empty()) return 0;
  streams.error << kCommand << ": it would end there, and be tried again: " << plan->error << "\n";
  return 1;
}

}  // namespace holdfast::kubectl
