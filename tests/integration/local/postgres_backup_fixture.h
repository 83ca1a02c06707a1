// `holdfast-operator local` with a PostgreSQL that has backups, and what the tests of them ask it.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "base/time/clock.h"
#include "base/time/duration.h"
#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"

namespace holdfast::local {

// A full backup, a restore and an archive that is pushed every minute take their time on a busy machine.
inline constexpr std::chrono::seconds kPatience{320};
inline constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
inline constexpr char kPassphrase[] = "correct horse battery staple";

class LocalPostgresBackupTest : public LocalCommandTest {
 protected:
  LocalPostgresBackupTest() { http::HttpClient::SetThreads(4); }

  static json Postgres(json more) {
    json postgres = {{"instances", 1},
                     {"storage", {{"size", "1Gi"}}},
                     {"pooler", {{"instances", 0}}},
                     {"parameters", {{"shared_buffers", "16MB"}}}};
    postgres.update(more);
    return postgres;
  }
  static json Cluster(const std::string& name, const json& postgres) {
    return {{"apiVersion", "storage.holdfast.dev/v1"},
            {"kind", "StorageCluster"},
            {"metadata", {{"name", name}}},
            {"spec",
             {{"backends", json::array({{{"name", "db"}, {"postgres", postgres}}})},
              {"stores", json::array({{{"name", "main"}, {"backend", "db"}}})}}}};
  }
  static json Backup() {
    return {{"storage", {{"size", "1Gi"}}},
            {"schedule", {{"full", "@yearly"}, {"differential", "* * * * *"}}},
            {"passphraseSecretRef", {{"name", "repository"}, {"key", "passphrase"}}}};
  }
  static json RestoreFrom(const std::string& claim, const std::string& time) {
    json restore = {{"claimName", claim}, {"passphraseSecretRef", {{"name", "repository"}, {"key", "passphrase"}}}};
    if (!time.empty()) restore["toTime"] = time;
    return restore;
  }

  static json Secret(const std::string& name, const std::map<std::string, std::string>& data) {
    json secret = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
    for (const auto& [key, value] : data) secret["data"][key] = kube::Base64Encode(value);
    return secret;
  }

  void StartWithBackups(int instances) {
    StartWith(Secret("repository", {{"passphrase", kPassphrase}}),
              Cluster("demo", Postgres({{"instances", instances}, {"backup", Backup()}})));
  }
  void StartWith(const json& secret, const json& cluster) {
    const auto path = folder_ / "manifest.yaml";
    // JSON is YAML.
    std::ofstream(path) << secret.dump() << "\n---\n" << cluster.dump();
    Start(path.string(), {"--ready-timeout", "300"});
    ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
    ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  }

  json Row(const std::string& cluster) const {
    const json object = Kubernetes(fmt::format("{}/{}", kClusters, cluster));
    if (!object.is_object()) return json::object();
    const json rows = object.value("/status/backups"_json_pointer, json::array());
    return rows.empty() ? json::object() : rows.front();
  }
  json Condition(const std::string& cluster, const std::string& type) const {
    const json object = Kubernetes(fmt::format("{}/{}", kClusters, cluster));
    if (!object.is_object()) return json::object();
    for (const json& each : object.value("/status/conditions"_json_pointer, json::array())) {
      if (each.at("type") == type) return each;
    }
    return json::object();
  }
  bool Is(const std::string& cluster, const std::string& type) const {
    return Condition(cluster, type).value("status", "") == "True";
  }
  // What was committed before is in the repository: the archive that a backup waits for goes to its end.
  bool BackedUpSince(Timestamp time) const {
    const auto stop = ParseTimestamp(Row("demo").value("lastDifferential", ""));
    return stop.ok() && *stop > time;
  }

  std::string ServiceOf(const std::string& cluster) const {
    const json service = Kubernetes("/api/v1/namespaces/default/services/" + cluster);
    return fmt::format("http://{}:8080", service.value("/spec/clusterIP"_json_pointer, ""));
  }
  bool Put(const std::string& key) const {
    return Ask(Event("running")["url"], "PUT", "/v1/stores/main/keys/" + key, key).status / 100 == 2;
  }
  std::vector<std::string> Keys(const std::string& service) const {
    const auto answer = Ask(service, "GET", "/v1/stores/main/keys?limit=1000");
    std::vector<std::string> keys;
    if (answer.status != 200) return keys;
    const json page = json::parse(answer.body);
    for (const json& item : page.at("items")) keys.push_back(item.at("key"));
    return keys;
  }
  // What the repository itself says, asked past the operator: the ticks that its backups are of.
  std::vector<std::string> Ticks() const {
    const std::string command = fmt::format(
        "PGBACKREST_REPO1_CIPHER_PASS='{}' pgbackrest --stanza=main --repo1-path={} --repo1-cipher-type=aes-256-cbc "
        "--log-level-file=off --output=json info",
        kPassphrase, (FolderOf("repository-demo-db-backup-0") / "repository").string());
    std::string text;
    FILE* const pipe = popen(command.c_str(), "r");
    for (int c = 0; pipe != nullptr && (c = fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
    if (pipe != nullptr) pclose(pipe);
    std::vector<std::string> ticks;
    const json info = json::parse(text, nullptr, false);
    if (!info.is_array() || info.empty()) return ticks;
    for (const json& backup : info.front().at("backup")) {
      ticks.push_back(backup.value("/annotation/holdfast-tick"_json_pointer, "none"));
    }
    return ticks;
  }
  void Make(const json& object) const {
    const auto made = Ask(Event("api")["server"], "POST", kClusters, object.dump());
    ASSERT_EQ(made.status, 201) << made.body;
  }

  // In a hurry, as a second signal asks: servers whose repository ends before them would try to archive until their
  // grace ends.
  void End() {
    program_->Signal(SIGTERM);
    ASSERT_TRUE(Eventually([&] { return !Event("stopping").is_null(); }, kPatience)) << WhatIsWrong();
    program_->Signal(SIGTERM);
    std::optional<ProcessExit> exit;
    ASSERT_TRUE(Eventually([&] { return (exit = program_->Poll()).has_value(); }, kPatience)) << WhatIsWrong();
    EXPECT_EQ(exit->code, 0);
  }

  std::string WhatIsWrong() const {
    std::string text = Kubernetes(kClusters).dump(2) + FileText(output());
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) {
      const std::string all = FileText(log.path());
      text += "\n== " + log.path().filename().string() + "\n" +
              all.substr(all.size() - std::min<std::size_t>(all.size(), 3000));
    }
    return text;
  }
};

}  // namespace holdfast::local
