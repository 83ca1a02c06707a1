// The kubectl on PATH against the in-memory API server, as a person would use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "operator/local/api_server/api_server.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kDefinition = R"yaml(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kettles.test.dev}
spec:
  group: test.dev
  scope: Namespaced
  names: {kind: Kettle, plural: kettles, singular: kettle, shortNames: [ket], categories: [kitchen]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.cups, statusReplicasPath: .status.cups}
    additionalPrinterColumns:
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Cups, type: integer, jsonPath: .spec.cups}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            properties:
              cups: {type: integer, minimum: 0, maximum: 9, default: 2}
              tea: {type: string, enum: [green, black]}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
)yaml";

constexpr const char* kKettle = R"yaml(
apiVersion: test.dev/v1
kind: Kettle
metadata: {name: blue, labels: {room: kitchen}}
spec: {tea: green}
)yaml";

struct Output {
  int status = -1;
  std::string text;
};

class KubectlTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-kubectl-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    ASSERT_TRUE(api_.Listen().ok());
    Apply("definition.yaml", kDefinition);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Output Kubectl(const std::string& arguments) const {
    std::string command = "KUBECONFIG=/dev/null HOME=" + folder_.string() +
                          " timeout 110 kubectl --server http://127.0.0.1:" + std::to_string(api_.port()) + " " +
                          arguments + " 2>&1 </dev/null";
    Output output;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return output;
    char buffer[4096];
    while (std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) output.text.append(buffer, got);
    output.status = WEXITSTATUS(pclose(pipe));
    return output;
  }
  std::string File(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  Output Apply(const std::string& name, const std::string& text, const std::string& flags = "") const {
    Output output = Kubectl("apply " + flags + " -f " + File(name, text));
    EXPECT_EQ(output.status, 0) << output.text;
    return output;
  }

  std::filesystem::path folder_;
  ApiServer api_;
};

TEST_F(KubectlTest, GetShowsThePrinterColumns) {
  Apply("kettle.yaml", kKettle);
  Output output = Kubectl("get kettles");
  EXPECT_EQ(output.status, 0);
  EXPECT_THAT(output.text, testing::ContainsRegex("NAME +READY +CUPS +AGE"));
  EXPECT_THAT(output.text, testing::ContainsRegex("blue +2 +[0-9]+s"));
}

TEST_F(KubectlTest, GetTakesShortNamesCategoriesSelectorsAndYaml) {
  Apply("kettle.yaml", kKettle);
  EXPECT_THAT(Kubectl("get ket").text, HasSubstr("blue"));
  EXPECT_THAT(Kubectl("get kitchen").text, HasSubstr("blue"));
  EXPECT_THAT(Kubectl("get ket -l room=kitchen -o name").text, HasSubstr("kettle.test.dev/blue"));
  EXPECT_THAT(Kubectl("get ket -l room=hall").text, HasSubstr("No resources found"));
  EXPECT_THAT(Kubectl("get ket blue -o yaml").text, HasSubstr("tea: green"));
  EXPECT_THAT(Kubectl("get ket -o wide").text, HasSubstr("blue"));
  Output missing = Kubectl("get ket red");
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.text, HasSubstr("Error from server (NotFound): kettles.test.dev \"red\" not found"));
}

TEST_F(KubectlTest, ClientSideApplyCreatesConfiguresAndRemovesWhatItDropped) {
  EXPECT_THAT(Apply("a.yaml", kKettle).text, HasSubstr("kettle.test.dev/blue created"));
  EXPECT_THAT(Apply("b.yaml", kKettle).text, HasSubstr("kettle.test.dev/blue unchanged"));
  std::string changed = kKettle;
  changed.replace(changed.find("tea: green"), 10, "cups: 4");
  EXPECT_THAT(Apply("c.yaml", changed).text, HasSubstr("kettle.test.dev/blue configured"));
  std::string yaml = Kubectl("get ket blue -o jsonpath={.spec}").text;
  EXPECT_EQ(yaml, R"({"cups":4})");
}

TEST_F(KubectlTest, ServerSideApplyReportsConflictsAndTakesFieldsOnlyByForce) {
  Apply("a.yaml", kKettle, "--server-side --field-manager=first");
  std::string black = kKettle;
  black.replace(black.find("green"), 5, "black");
  Output refused = Kubectl("apply --server-side --field-manager=second -f " + File("b.yaml", black));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.text, HasSubstr("conflict with \"first\": .spec.tea"));
  EXPECT_THAT(Apply("b.yaml", black, "--server-side --field-manager=second --force-conflicts").text,
              HasSubstr("serverside-applied"));
  EXPECT_EQ(Kubectl("get ket blue -o jsonpath={.spec.tea}").text, "black");
}

TEST_F(KubectlTest, ServerSideApplyTakesOverFromClientSideApply) {
  Apply("a.yaml", kKettle);
  std::string black = kKettle;
  black.replace(black.find("green"), 5, "black");
  Output output = Apply("b.yaml", black, "--server-side");
  EXPECT_THAT(output.text, HasSubstr("serverside-applied"));
  std::string none = kKettle;
  none.erase(none.find("tea: green"), 10);
  Apply("c.yaml", none, "--server-side");
  EXPECT_EQ(Kubectl("get ket blue -o jsonpath={.spec}").text, R"({"cups":2})");
}

TEST_F(KubectlTest, InvalidObjectsAreRefusedInTheServersWords) {
  std::string wrong = kKettle;
  wrong.replace(wrong.find("green"), 5, "mint");
  Output output = Kubectl("apply -f " + File("a.yaml", wrong));
  EXPECT_EQ(output.status, 1);
  EXPECT_THAT(output.text, HasSubstr("spec.tea: Unsupported value: \"mint\": supported values: \"green\", \"black\""));
}

TEST_F(KubectlTest, DescribeShowsTheObjectAndItsEvents) {
  Apply("kettle.yaml", kKettle);
  std::string uid = Kubectl("get ket blue -o jsonpath={.metadata.uid}").text;
  Apply("event.yaml", R"({"apiVersion":"v1","kind":"Event","metadata":{"name":"blue.1"},"reason":"Boiled",
    "message":"the water boils","type":"Normal","count":1,"lastTimestamp":"2030-01-01T00:00:00Z",
    "involvedObject":{"apiVersion":"test.dev/v1","kind":"Kettle","namespace":"default","name":"blue","uid":")" +
                          uid + "\"}}");
  Output output = Kubectl("describe ket blue");
  EXPECT_EQ(output.status, 0);
  EXPECT_THAT(output.text, HasSubstr("Kind:         Kettle"));
  EXPECT_THAT(output.text, HasSubstr("the water boils"));
}

TEST_F(KubectlTest, PatchScaleLabelAndEditChangeWhatTheySay) {
  Apply("kettle.yaml", kKettle);
  EXPECT_EQ(Kubectl("patch ket blue --type merge -p '{\"spec\":{\"tea\":\"black\"}}'").status, 0);
  EXPECT_EQ(Kubectl("patch ket blue --type json -p "
                    "'[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{\"a\":\"b\"}}]'")
                .status,
            0);
  // kubectl has --subresource only since 1.24; Debian's is older.
  EXPECT_TRUE(api_.Call("PATCH", "/apis/test.dev/v1/namespaces/default/kettles/blue/status",
                        {{"status", {{"cups", 1}}}}, "application/merge-patch+json")
                  .ok());
  Output scaled = Kubectl("scale ket blue --replicas 7");
  EXPECT_EQ(scaled.status, 0) << scaled.text;
  EXPECT_EQ(Kubectl("label ket blue size=big").status, 0);
  EXPECT_EQ(setenv("KUBE_EDITOR", "sed -i s/kitchen/hall/", 1), 0);
  Output edited = Kubectl("edit ket blue");
  EXPECT_EQ(edited.status, 0) << edited.text;
  EXPECT_EQ(Kubectl("get ket blue -o "
                    "jsonpath={.spec.tea}/{.spec.cups}/{.status.cups}/{.metadata.labels}/{.metadata.annotations.a}")
                .text,
            R"(black/7/1/{"room":"hall","size":"big"}/b)");
  EXPECT_EQ(Kubectl("get ket blue -o jsonpath={.metadata.generation}").text, "3");
}

TEST_F(KubectlTest, DeleteWaitsForFinalizersAndDependents) {
  Apply("kettle.yaml", kKettle);
  std::string uid = Kubectl("get ket blue -o jsonpath={.metadata.uid}").text;
  Apply("child.yaml", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"child","ownerReferences":
    [{"apiVersion":"test.dev/v1","kind":"Kettle","name":"blue","uid":")" +
                          uid + R"("}]}})");
  EXPECT_THAT(Kubectl("delete ket blue --timeout=30s").text, HasSubstr("kettle.test.dev \"blue\" deleted"));
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (Kubectl("get configmap child").status == 0 && std::chrono::steady_clock::now() < end) {
  }
  EXPECT_THAT(Kubectl("get configmap child").text, HasSubstr("configmaps \"child\" not found"));
}

TEST_F(KubectlTest, BuiltInKindsTakeStrategicMergesFromApply) {
  std::string set = R"yaml(
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: one, image: "one:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
      - {name: two, image: "two:1"}
)yaml";
  Apply("a.yaml", set);
  set.replace(set.find("two:1"), 5, "two:2");
  set.erase(set.find("{name: A, value: \"1\"}, "), 23);
  EXPECT_THAT(Apply("b.yaml", set).text, HasSubstr("statefulset.apps/web configured"));
  EXPECT_EQ(Kubectl("get sts web -o jsonpath={.spec.template.spec.containers[*].image}").text, "one:1 two:2");
  EXPECT_EQ(Kubectl("get sts web -o jsonpath={.spec.template.spec.containers[0].env[*].name}").text, "B");
  EXPECT_THAT(Kubectl("get sts,svc,cm,pods -o wide").text, testing::ContainsRegex("statefulset.apps/web +0/1"));
  EXPECT_EQ(Kubectl("scale sts web --replicas 3").status, 0);
  EXPECT_EQ(Kubectl("set image sts/web one=one:9").status, 0);
  EXPECT_EQ(Kubectl("get sts web -o jsonpath={.spec.replicas}/{.metadata.generation}").text, "3/4");
}

TEST_F(KubectlTest, NamespacesHoldAndTakeTheirContentsWithThem) {
  std::string map = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}})";
  Output refused = Kubectl("apply -n somewhere -f " + File("map.yaml", map));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.text, HasSubstr("namespaces \"somewhere\" not found"));
  Apply("namespace.yaml", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"somewhere"}})");
  Apply("map.yaml", map, "-n somewhere");
  EXPECT_THAT(Kubectl("get cm -A").text, testing::ContainsRegex("somewhere +a +1"));
  EXPECT_EQ(Kubectl("delete namespace somewhere --timeout=30s").status, 0);
  EXPECT_THAT(Kubectl("get cm -A").text, Not(HasSubstr("somewhere")));
}

TEST_F(KubectlTest, WatchPrintsRowsAsTheyCome) {
  Apply("kettle.yaml", kKettle);
  // The shell's id is kubectl's after the exec, so that the watch can be ended.
  std::string command = "echo $$; exec env KUBECONFIG=/dev/null HOME=" + folder_.string() +
                        " timeout 110 kubectl --server http://127.0.0.1:" + std::to_string(api_.port()) +
                        " get ket blue -w";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  auto read_until = [&](const std::string& pattern) {
    char line[512];
    while (fgets(line, sizeof line, pipe) != nullptr) {
      if (testing::internal::RE::PartialMatch(line, pattern.c_str())) return true;
    }
    return false;
  };
  int pid = 0;
  ASSERT_EQ(fscanf(pipe, "%d", &pid), 1);
  EXPECT_TRUE(read_until("blue +2 +"));
  EXPECT_EQ(Kubectl("patch ket blue --type merge -p '{\"spec\":{\"cups\":8}}'").status, 0);
  EXPECT_TRUE(read_until("blue +8 +"));
  kill(pid, SIGTERM);
  pclose(pipe);
}

}  // namespace
}  // namespace holdfast::local
