#include "operator/controllers/storagecluster/redis_credentials.h"

#include <utility>
#include <vector>

#include "operator/certificates/random_password.h"
#include "operator/controllers/storagecluster/secret_files.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::storagecluster {
namespace {

using certificates::Files;
using kube::Json;
using resources::OtherPassword;

std::vector<const char*> PasswordsOf(const api::RedisBackend& redis) {
  std::vector<const char*> files = {resources::kApplicationPassword, resources::kKeeperPassword};
  if (redis.replicated()) files.push_back(resources::kReplicationPassword);
  if (redis.sentinel) files.push_back(resources::kSentinelPassword);
  return files;
}

void NameUsers(const api::RedisBackend& redis, Files* files) {
  const auto password = [&](const char* file) {
    const auto in_use = files->find(file);
    const auto other = files->find(OtherPassword(file));
    return resources::RedisPassword(in_use == files->end() ? std::string() : in_use->second,
                                    other == files->end() ? std::string() : other->second);
  };
  const resources::RedisPasswords passwords{
      password(resources::kApplicationPassword), password(resources::kReplicationPassword),
      password(resources::kSentinelPassword), password(resources::kKeeperPassword)};
  if (redis.sentinel) {
    (*files)[resources::kRedisUsersFile] = resources::RedisUsersWithSentinels(passwords);
    (*files)[resources::kSentinelUsersFile] = resources::SentinelUsers(passwords);
  } else if (redis.shards) {
    (*files)[resources::kRedisUsersFile] = resources::RedisUsersOfShards(passwords);
  } else {
    (*files)[resources::kRedisUsersFile] = resources::RedisUsers(passwords);
  }
}

// What makes `after` of what is there.
Json Difference(const Files& before, const Files& after) {
  Files changed;
  for (const auto& [name, text] : after) {
    const auto former = before.find(name);
    if (former == before.end() || former->second != text) changed[name] = text;
  }
  Json data = EncodedFiles(changed);
  for (const auto& [name, text] : before) {
    if (!after.contains(name)) data[name] = nullptr;
  }
  return data;
}

}  // namespace

std::string CredentialFile(const Json& secret, const char* name) {
  const Files files = DecodedFiles(&secret);
  const auto found = files.find(name);
  return found == files.end() ? std::string() : found->second;
}

Status CompleteRedisCredentials(const api::BackendSpec& backend, Files* files) {
  for (const char* file : PasswordsOf(*backend.redis())) {
    std::string& password = (*files)[file];
    if (!password.empty()) continue;
    HOLDFAST_ASSIGN_OR_RETURN(password, certificates::RandomPassword());
  }
  NameUsers(*backend.redis(), files);
  return Status::Ok();
}

Result<Json> WithOtherPasswords(const api::BackendSpec& backend, const Json& secret) {
  const Files before = DecodedFiles(&secret);
  Files after = before;
  for (const char* file : PasswordsOf(*backend.redis())) {
    HOLDFAST_ASSIGN_OR_RETURN(after[OtherPassword(file)], certificates::RandomPassword());
  }
  NameUsers(*backend.redis(), &after);
  return Difference(before, after);
}

Json WithPasswordsSwitched(const api::BackendSpec& backend, const Json& secret) {
  const Files before = DecodedFiles(&secret);
  Files after = before;
  for (const char* file : PasswordsOf(*backend.redis())) {
    // Somebody has taken it out: what is in use stays.
    if (const auto other = after.find(OtherPassword(file)); other != after.end() && !other->second.empty()) {
      std::swap(after[file], other->second);
    }
  }
  NameUsers(*backend.redis(), &after);
  return Difference(before, after);
}

Json WithoutOtherPasswords(const api::BackendSpec& backend, const Json& secret) {
  const Files before = DecodedFiles(&secret);
  Files after = before;
  for (const char* file : PasswordsOf(*backend.redis())) after.erase(OtherPassword(file));
  NameUsers(*backend.redis(), &after);
  return Difference(before, after);
}

}  // namespace holdfast::storagecluster
