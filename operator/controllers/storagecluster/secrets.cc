#include "operator/controllers/storagecluster/secrets.h"

#include "operator/certificates/authority.h"
#include "operator/certificates/random_password.h"
#include "operator/certificates/scram_verifier.h"
#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/ownership.h"
#include "operator/controllers/storagecluster/redis_credentials.h"
#include "operator/controllers/storagecluster/rotation.h"
#include "operator/controllers/storagecluster/secret_files.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::storagecluster {
namespace {

using certificates::Files;

// Of resources::kInitializedFile.
constexpr char kYes[] = "yes";
constexpr char kNo[] = "no";
constexpr char kTlsType[] = "kubernetes.io/tls";
constexpr char kOpaqueType[] = "Opaque";

// Passwords have no character that would have to be escaped (certificates::RandomPassword).
std::string PoolerUsers(const Files& passwords) {
  std::string list;
  for (const resources::Login& login : {resources::Login{false, {}}, resources::Login{true, {}}}) {
    const auto found = passwords.find(login.password());
    if (found == passwords.end()) continue;
    list.append("\"").append(login.user()).append("\" \"").append(found->second).append("\"\n");
  }
  return list;
}

// JSON is YAML. `wish`: whose rotation the passwords are of; empty when they are those of the beginning.
std::string PatroniLogins(Files& passwords, const resources::Login& login, const std::string& wish) {
  Json settings;
  for (const resources::ServerRole& role : resources::kServerRoles) {
    settings["authentication"][role.name] = {{"username", login.user_of(role)},
                                             {"password", passwords[login.password_of(role)]}};
  }
  if (!wish.empty()) settings["parameters"][resources::kLoginsParameter] = resources::Hash(wish);
  return Json({{"postgresql", std::move(settings)}}).dump(1).append("\n");
}

bool HasSentinels(const api::BackendSpec& backend) {
  return backend.redis() != nullptr && backend.redis()->sentinel.has_value();
}

bool IsReplicated(const api::BackendSpec& backend) {
  return backend.redis() != nullptr && backend.redis()->replicated();
}

std::vector<std::string> ServerNames(const api::StorageCluster& cluster, const api::BackendSpec& spec) {
  if (IsReplicated(spec)) return resources::RedisServerNames(cluster, spec);
  const std::string& backend = spec.name;
  std::vector<std::string> names;
  // The first is also the common name, by which pgBackRest knows its peers (postgres_backup_files.cc).
  std::vector<std::string> services = {resources::PrimaryServiceName(cluster.name, backend),
                                       resources::ReplicasServiceName(cluster.name, backend),
                                       resources::PoolerName(cluster.name, backend),
                                       std::string("*.").append(resources::PodsServiceName(cluster.name, backend))};
  const api::PostgresBackend* postgres = spec.postgres();
  if (postgres != nullptr && (postgres->backup || postgres->restore)) {
    // Both, so that no certificate is issued anew when restoreFrom is taken off.
    services.push_back(resources::BackupName(cluster.name, backend));
    services.push_back(resources::SourceName(cluster.name, backend));
  }
  for (const std::string& service : services) {
    const std::string host = resources::ServiceHost(service, cluster.ns);
    names.push_back(host);
    names.push_back(std::string(host).append(".cluster.local"));
  }
  return names;
}

// As applications inside the cluster call the service, and whoever forwards a port to it; each pod of a StatefulSet by
// name, too.
std::vector<std::string> ServiceNames(const api::StorageCluster& cluster) {
  const std::string host = resources::ServiceHost(cluster.name, cluster.ns);
  const std::string pods = resources::ServiceHost(resources::HeadlessServiceName(cluster.name), cluster.ns);
  std::vector<std::string> names{host, host + ".cluster.local", cluster.name + "." + cluster.ns, cluster.name};
  for (const std::string& name : {pods, std::string("*.").append(pods)}) {
    names.push_back(name);
    names.push_back(std::string(name).append(".cluster.local"));
  }
  names.emplace_back("localhost");
  return names;
}

class SecretPlanner {
 public:
  SecretPlanner(const api::StorageCluster& cluster, const Observed& observed, Timestamp now)
      : cluster_(cluster), observed_(observed), now_(now) {}

  Result<SecretPlan> Make() {
    for (const std::string& name : resources::SecretNames(cluster_)) FindObstacles(name);
    if (plan_.blocked || plan_.waiting) return std::move(plan_);
    Files authority;
    for (const api::BackendSpec& backend : cluster_.spec.backends) {
      if (!backend.has_servers()) continue;
      if (authority.empty()) {
        HOLDFAST_ASSIGN_OR_RETURN(authority, PlanAuthority());
      }
      const bool redis = backend.redis() != nullptr;
      HOLDFAST_RETURN_IF_ERROR(redis ? PlanRedisCredentials(backend) : PlanCredentials(backend.name));
      if (plan_.blocked) return std::move(plan_);
      HOLDFAST_RETURN_IF_ERROR(PlanCertificate(resources::ServerTlsName(cluster_.name, backend.name), backend.name,
                                               redis ? resources::kRedisRole : resources::kPostgresRole,
                                               ServerNames(cluster_, backend), authority));
    }
    if (resources::IssuesServiceCertificate(cluster_.spec)) {
      if (authority.empty()) {
        HOLDFAST_ASSIGN_OR_RETURN(authority, PlanAuthority());
      }
      if (plan_.blocked) return std::move(plan_);
      HOLDFAST_RETURN_IF_ERROR(
          PlanCertificate(resources::ServiceTlsName(cluster_.name), "", "", ServiceNames(cluster_), authority));
    }
    if (resources::HasBackupCaller(cluster_.spec)) HOLDFAST_RETURN_IF_ERROR(PlanBackupToken());
    return std::move(plan_);
  }

 private:
  const Json* Live(const std::string& name) const { return observed_.Find(kube::kinds::kSecret, name); }

  std::string Describe(const std::string& name) const {
    return "Secret " + kube::ObjectKey{cluster_.ns, name}.ToString();
  }

  void Block(const char* reason, std::string message) {
    if (!plan_.blocked) plan_.blocked = Problem{reason, std::move(message)};
  }

  void FindObstacles(const std::string& name) {
    const Json* live = Live(name);
    if (live == nullptr) return;
    const Ownership ownership = OwnershipOf(*live, cluster_);
    if (ownership == Ownership::kForeign) {
      Block("ObjectConflict", DescribeObject(kube::kinds::kSecret, *live) +
                                  ", was not made by this StorageCluster and is in the way; rename or delete it, or "
                                  "give the StorageCluster another name");
    } else if (ownership == Ownership::kFormer || kube::IsBeingDeleted(*live)) {
      plan_.waiting = Problem{"WaitingForFormerObjects", Describe(name) + " is still being removed"};
    }
  }

  // `object` as ChildObject makes it.
  void Create(Json object, const char* type, const Files& files) {
    object["type"] = type;
    object["data"] = EncodedFiles(files);
    Action action{.verb = Verb::kCreate, .kind = kube::kinds::kSecret, .key = kube::KeyOf(object)};
    action.event_reason = "Created";
    action.because = Describe(action.key.name) + " is not there";
    action.body = std::move(object);
    plan_.actions.push_back(std::move(action));
  }

  void Change(const Json& live, const Json& patch, const char* reason, std::string because) {
    Action action{.verb = Verb::kMergePatch, .kind = kube::kinds::kSecret, .key = kube::KeyOf(live), .body = patch};
    action.body["metadata"]["resourceVersion"] = kube::ResourceVersionOf(live);
    action.event_reason = reason;
    action.because = std::move(because);
    plan_.actions.push_back(std::move(action));
  }

  Json Object(const std::string& name, const std::string& backend, const char* role) const {
    Json object = resources::ChildObject(cluster_, kube::kinds::kSecret, name);
    if (!backend.empty()) {
      object["metadata"]["labels"] = resources::BackendLabels(cluster_, backend, role);
    }
    return object;
  }

  // Creates the Secret or brings its files to `wanted`; without `wanted` it is as it should be.
  void Settle(const std::string& name, const std::string& backend, const char* role, const char* type,
              const Files& present, const std::optional<Files>& wanted, const char* what) {
    if (!wanted) return;
    const Json* live = Live(name);
    if (live == nullptr) {
      Create(Object(name, backend, role), type, *wanted);
      return;
    }
    Json data = EncodedFiles(*wanted);
    for (const auto& [file, text] : present) {
      if (!wanted->contains(file)) data[file] = nullptr;
    }
    Change(*live, {{"data", std::move(data)}}, "CertificateRenewed", Describe(name) + " gets " + what);
  }

  // The files of the authority as they will be.
  Result<Files> PlanAuthority() {
    const std::string name = resources::AuthorityName(cluster_.name);
    const Files present = DecodedFiles(Live(name));
    auto wanted = certificates::NextAuthority(present, "Holdfast " + cluster_.ns + "/" + cluster_.name, now_);
    if (!wanted.ok()) {
      HOLDFAST_RETURN_IF_ERROR(BlockOrFail(wanted.error(), name));
      return Files();
    }
    Settle(name, "", "", kOpaqueType, present, *wanted, "the next certificate authority");
    return wanted->value_or(present);
  }

  Status PlanCertificate(const std::string& name, const std::string& backend, const char* role,
                         const std::vector<std::string>& hosts, const Files& authority) {
    const Files present = DecodedFiles(Live(name));
    auto wanted = certificates::NextServer(present, authority, hosts, now_);
    if (!wanted.ok()) return BlockOrFail(wanted.error(), resources::AuthorityName(cluster_.name));
    Settle(name, backend, role, kTlsType, present, *wanted, "a new certificate");
    return Status::Ok();
  }

  // Made once: the service's pods are made anew with another.
  Status PlanBackupToken() {
    const std::string name = resources::BackupTokenName(cluster_.name);
    const Json* live = Live(name);
    if (live != nullptr && !DecodedFiles(live)[resources::kTokenFile].empty()) return Status::Ok();
    Files files;
    HOLDFAST_ASSIGN_OR_RETURN(files[resources::kTokenFile], certificates::RandomPassword());
    if (live == nullptr) {
      Create(Object(name, "", ""), kOpaqueType, files);
    } else {
      Change(*live, {{"data", EncodedFiles(files)}}, "TokenRenewed", Describe(name) + " gets a token");
    }
    return Status::Ok();
  }

  Status BlockOrFail(const Error& error, const std::string& name) {
    if (error.code() != ErrorCode::kFailedPrecondition) return error;
    Block("AuthorityBroken", Describe(name) + ": " + error.message());
    return Status::Ok();
  }

  Status PlanCredentials(const std::string& backend) {
    const std::string name = resources::CredentialsName(cluster_.name, backend);
    const Json* live = Live(name);
    if (live != nullptr) return CheckCredentials(*live, backend);
    for (const resources::VolumeSet& set : resources::VolumeSets(cluster_)) {
      // A repository knows no passwords, and stays when a database is made anew.
      if (set.backend != backend || std::string_view(set.role) == resources::kBackupRole) continue;
      for (const Json& claim : observed_.claims) {
        if (!set.Holds(kube::KeyOf(claim).name)) continue;
        Block("CredentialsMissing",
              Describe(name) + " is gone, and the database in PersistentVolumeClaim " + kube::KeyOf(claim).name +
                  " knows no other passwords; put the Secret back with its labels, or delete the claims with their "
                  "data to begin anew");
        return Status::Ok();
      }
    }
    Files passwords;
    HOLDFAST_ASSIGN_OR_RETURN(passwords[resources::kApplicationPassword], certificates::RandomPassword());
    HOLDFAST_ASSIGN_OR_RETURN(passwords, Completed(std::move(passwords), {}, ""));
    Json object = Object(name, backend, resources::kPostgresRole);
    object["metadata"].erase("ownerReferences");
    Create(std::move(object), kOpaqueType, passwords);
    return Status::Ok();
  }

  bool HasClaims(const std::string& backend) const {
    for (const resources::VolumeSet& set : resources::VolumeSets(cluster_)) {
      if (set.backend != backend || std::string_view(set.role) != resources::kRedisRole) continue;
      for (const Json& claim : observed_.claims) {
        if (set.Holds(kube::KeyOf(claim).name)) return true;
      }
    }
    return false;
  }

  bool AllReady(const api::BackendSpec& backend) const {
    const Json* servers =
        observed_.Find(kube::kinds::kStatefulSet, resources::BackendName(cluster_.name, backend.name));
    static const Json::json_pointer ready("/status/readyReplicas");
    // There may be more, which go.
    return servers != nullptr && servers->contains(ready) && servers->at(ready) >= backend.redis()->instances;
  }

  Status PlanRedisCredentials(const api::BackendSpec& backend) {
    const std::string name = resources::CredentialsName(cluster_.name, backend.name);
    const Json* live = Live(name);
    Files wanted;
    if (live != nullptr) wanted = DecodedFiles(live);
    HOLDFAST_RETURN_IF_ERROR(CompleteRedisCredentials(backend, &wanted));
    bool begins = false;
    if (IsReplicated(backend)) {
      std::string& initialized = wanted[resources::kInitializedFile];
      if (initialized != kYes && initialized != kNo) initialized = HasClaims(backend.name) ? kYes : kNo;
      // A server is ready as the master, or in step with one. Of a Redis Cluster all have to be, so that no slot is
      // left that nobody has been given: afterwards the operator gives none to a server without data.
      begins = initialized == kNo &&
               (HasSentinels(backend) ? RedisPrimaryPod(observed_.pods, backend.name) != nullptr : AllReady(backend));
      if (begins) initialized = kYes;
    }
    if (live == nullptr) {
      Create(Object(name, backend.name, resources::kRedisRole), kOpaqueType, wanted);
    } else if (begins) {
      Change(*live, {{"data", EncodedFiles(wanted)}}, "BackendInitialized",
             Describe(name) + " notes that backend " + backend.name + " has its first master");
    } else if (wanted != DecodedFiles(live)) {
      Change(*live, {{"data", EncodedFiles(wanted)}}, "CredentialsCompleted",
             Describe(name) + " gets what was missing or did not fit its password");
    }
    return Status::Ok();
  }

  Status CheckCredentials(const Json& live, const std::string& backend) {
    const std::string name = kube::KeyOf(live).name;
    const Files present = DecodedFiles(&live);
    const auto is_missing = [&](const char* password) {
      const auto found = present.find(password);
      return found == present.end() || found->second.empty();
    };
    const resources::Login login = LoginInUse(live);
    std::vector<const char*> in_use = {resources::kApplicationPassword, login.password()};
    for (const resources::ServerRole& role : resources::kServerRoles) in_use.push_back(login.password_of(role));
    for (const char* password : in_use) {
      if (!is_missing(password)) continue;
      Block("CredentialsMissing",
            Describe(name) + " has no " + password + ", and the database knows no other; put back what was there");
      return Status::Ok();
    }
    const Json labels = resources::BackendLabels(cluster_, backend, resources::kPostgresRole);
    bool labelled = true;
    for (const auto& [label, value] : labels.items()) labelled = labelled && kube::LabelOf(live, label) == value;
    if (!labelled) {
      Change(live, {{"metadata", {{"labels", labels}}}}, "CredentialsTakenOver",
             Describe(name) + " is taken over with the volumes it belongs to");
      return Status::Ok();
    }
    // Made by an operator that knew one login of some. Of the other one the database learns with the first rotation.
    HOLDFAST_ASSIGN_OR_RETURN(const Files completed, Completed(present, login, WishInUse(live)));
    if (completed != present) {
      Change(live, {{"data", EncodedFiles(completed)}}, "CredentialsCompleted",
             Describe(name) + " gets what was missing or did not fit its passwords");
    }
    return Status::Ok();
  }

  // With whatever password is not there, and what is made of them.
  static Result<Files> Completed(Files passwords, const resources::Login& login, const std::string& wish) {
    std::vector<const char*> wanted = {resources::kSecondApplicationPassword};
    for (const resources::ServerRole& role : resources::kServerRoles) {
      wanted.insert(wanted.end(), {role.passwords[0], role.passwords[1]});
    }
    for (const char* file : wanted) {
      std::string& password = passwords[file];
      if (!password.empty()) continue;
      HOLDFAST_ASSIGN_OR_RETURN(password, certificates::RandomPassword());
    }
    passwords.try_emplace(resources::kVerifiersFile);
    passwords[resources::kPoolerUsers] = PoolerUsers(passwords);
    passwords[resources::kPatroniLoginsFile] = PatroniLogins(passwords, login, wish);
    return passwords;
  }

  const api::StorageCluster& cluster_;
  const Observed& observed_;
  const Timestamp now_;
  SecretPlan plan_;
};

}  // namespace

Result<SecretPlan> PlanSecrets(const api::StorageCluster& cluster, const Observed& observed, Timestamp now) {
  return SecretPlanner(cluster, observed, now).Make();
}

Result<Json> WithNewPasswords(const Json& secret, const resources::Login& login, const std::string& wish) {
  Files passwords = DecodedFiles(&secret);
  Files changed;
  std::string& verifiers = changed[resources::kVerifiersFile];
  const auto renew = [&](const char* file, const char* of) -> Status {
    HOLDFAST_ASSIGN_OR_RETURN(std::string password, certificates::RandomPassword());
    HOLDFAST_ASSIGN_OR_RETURN(const std::string verifier, certificates::ScramVerifier(password));
    verifiers.append("\\set ").append(resources::VerifierVariable(of)).append(" '").append(verifier).append("'\n");
    passwords[file] = password;
    changed[file] = std::move(password);
    return Status::Ok();
  };
  HOLDFAST_RETURN_IF_ERROR(renew(login.password(), resources::kApplicationVerifier));
  for (const resources::ServerRole& role : resources::kServerRoles) {
    HOLDFAST_RETURN_IF_ERROR(renew(login.password_of(role), role.name));
  }
  changed[resources::kPoolerUsers] = PoolerUsers(passwords);
  changed[resources::kRotationFile] = resources::Hash(wish);
  return EncodedFiles(changed);
}

bool HasVerifiers(const Json& secret) {
  return !DecodedFiles(&secret)[resources::kVerifiersFile].empty();
}

Json WithServersLogins(const Json& secret, const resources::Login& login, const std::string& wish) {
  Files passwords = DecodedFiles(&secret);
  return EncodedFiles({{resources::kPatroniLoginsFile, PatroniLogins(passwords, login, wish)}});
}

bool IsInitialized(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Observed& observed) {
  const Json* live = observed.Find(kube::kinds::kSecret, resources::CredentialsName(cluster.name, backend.name));
  const Files files = DecodedFiles(live);
  const auto found = files.find(resources::kInitializedFile);
  return found != files.end() && found->second == kYes;
}

std::string PublishedAuthorities(const api::StorageCluster& cluster, const Observed& observed) {
  if (!resources::IssuesServiceCertificate(cluster.spec)) return {};
  Files authority = DecodedFiles(observed.Find(kube::kinds::kSecret, resources::AuthorityName(cluster.name)));
  return std::move(authority[certificates::kTrusted]);
}

std::string BackupCaller(const api::StorageCluster& cluster, const Observed& observed) {
  if (!resources::HasBackupCaller(cluster.spec)) return {};
  const Json* live = observed.Find(kube::kinds::kSecret, resources::BackupTokenName(cluster.name));
  const std::string token = DecodedFiles(live)[resources::kTokenFile];
  return token.empty() ? std::string() : resources::Sha256Of(token);
}

std::map<std::string, std::string> SecretChecksums(const api::StorageCluster& cluster, const Observed& observed) {
  std::map<std::string, std::string> checksums;
  for (const std::string& name : resources::SecretNames(cluster)) {
    const Json* live = observed.Find(kube::kinds::kSecret, name);
    if (live != nullptr) checksums[name] = resources::Hash(live->value("data", Json::object()));
  }
  // Whoever mounts these follows them, and nobody has to start anew.
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    const std::string name = resources::CredentialsName(cluster.name, backend.name);
    checksums.erase(name);
  }
  return checksums;
}

}  // namespace holdfast::storagecluster
