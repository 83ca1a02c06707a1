#include "service/tenancy/access_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/config/yaml.h"
#include "base/time/duration.h"
#include "service/storage/key_space.h"

namespace holdfast::tenancy {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxNameBytes = 253;

Error Invalid(std::string_view where, std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}: {}", where, what)};
}

// One entry of a list, read member by member.
class EntryReader {
 public:
  EntryReader(const json& entry, std::string where) : entry_(entry), where_(std::move(where)) {}

  Status CheckMembers(std::initializer_list<std::string_view> known) const {
    if (!entry_.is_object()) return Invalid(where_, "is no mapping");
    for (const auto& member : entry_.items()) {
      if (std::find(known.begin(), known.end(), member.key()) == known.end()) {
        return Invalid(where_, fmt::format("has an unknown field; known are {}", fmt::join(known, ", ")));
      }
    }
    return {};
  }

  bool Has(const char* field) const { return entry_.contains(field); }

  // Empty when it is left out.
  Result<std::string> Text(const char* field) const {
    const auto found = entry_.find(field);
    if (found == entry_.end()) return std::string();
    if (!found->is_string()) return Bad(field, "is no string; put it in quotes");
    std::string text = found->get<std::string>();
    if (text.empty()) return Bad(field, "is empty; leave it out or give it a value");
    return text;
  }

  Result<std::vector<std::string>> Texts(const char* field) const {
    std::vector<std::string> texts;
    const auto found = entry_.find(field);
    if (found == entry_.end()) return texts;
    if (!found->is_array() || found->empty()) return Bad(field, "is no list with at least one name");
    for (const json& item : *found) {
      if (!item.is_string() || item.get_ref<const std::string&>().empty()) return Bad(field, "holds what is no name");
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }

  Error Bad(const char* field, std::string_view what) const {
    return Invalid(where_, fmt::format("{} {}", field, what));
  }

 private:
  const json& entry_;
  const std::string where_;
};

Result<Rule> ReadRule(const EntryReader& entry) {
  HOLDFAST_RETURN_IF_ERROR(entry.CheckMembers({"principals", "verbs", "stores", "namespaces", "prefix"}));
  Rule rule;
  HOLDFAST_ASSIGN_OR_RETURN(rule.principals, entry.Texts("principals"));
  HOLDFAST_ASSIGN_OR_RETURN(rule.stores, entry.Texts("stores"));
  HOLDFAST_ASSIGN_OR_RETURN(rule.namespaces, entry.Texts("namespaces"));
  HOLDFAST_ASSIGN_OR_RETURN(rule.prefix, entry.Text("prefix"));
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> verbs, entry.Texts("verbs"));
  if (rule.principals.empty()) return entry.Bad("principals", "is missing; [\"*\"] is everybody who is known");
  if (verbs.empty()) return entry.Bad("verbs", "is missing; say what is allowed");
  for (const std::string& name : verbs) {
    const auto verb = ParseVerb(name);
    if (!verb) {
      return entry.Bad("verbs",
                       "holds an unknown one; known are read, write, delete, list, lock, publish, watch, admin");
    }
    rule.verbs.set(static_cast<std::size_t>(*verb));
  }
  return rule;
}

Status CheckName(const EntryReader& entry, const std::string& name) {
  if (name.empty()) return entry.Bad("name", "is missing");
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != '*'; });
  if (!printable || name.size() > kMaxNameBytes) {
    return entry.Bad("name", fmt::format("is not 1 to {} visible ASCII characters without '*'", kMaxNameBytes));
  }
  // These are given by the roles of an entry and by Kubernetes; a name like that would be taken for them.
  if (name.starts_with("role:") || name.starts_with("system:") || name == kAnonymous) {
    return entry.Bad("name", "begins with \"role:\" or \"system:\" or is \"anonymous\"; take another");
  }
  return {};
}

}  // namespace

struct AccessFile::Parts {
  std::unordered_map<Digest, Known, DigestHash> by_digest;
  std::unordered_map<std::string, Known> by_certificate;
  std::vector<Rule> rules;
  std::set<std::string> names;

  Status AddToken(const EntryReader& entry) {
    HOLDFAST_RETURN_IF_ERROR(
        entry.CheckMembers({"name", "sha256", "token", "certificate", "namespace", "roles", "expires_at"}));
    Principal principal;
    HOLDFAST_ASSIGN_OR_RETURN(principal.name, entry.Text("name"));
    HOLDFAST_RETURN_IF_ERROR(CheckName(entry, principal.name));
    if (!names.insert(principal.name).second) return entry.Bad("name", "is that of an entry above");
    HOLDFAST_ASSIGN_OR_RETURN(principal.name_space, entry.Text("namespace"));
    if (principal.name_space.empty()) principal.name_space = storage::kDefaultNamespace;
    if (!storage::IsValidNamespace(principal.name_space)) {
      return entry.Bad("namespace", "is not 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit");
    }
    HOLDFAST_ASSIGN_OR_RETURN(principal.roles, entry.Texts("roles"));
    Known known{std::make_shared<const Principal>(std::move(principal)), std::nullopt};
    HOLDFAST_ASSIGN_OR_RETURN(const std::string expires_at, entry.Text("expires_at"));
    if (!expires_at.empty()) {
      const auto when = ParseTimestamp(expires_at);
      if (!when.ok()) return entry.Bad("expires_at", "is no RFC 3339 timestamp; write one like 2027-01-01T00:00:00Z");
      known.expires_at = *when;
    }
    return AddProof(entry, std::move(known));
  }

  Status AddProof(const EntryReader& entry, Known known) {
    if (entry.Has("sha256") + entry.Has("token") + entry.Has("certificate") != 1) {
      return entry.Bad("token", "or sha256 or certificate: exactly one of them is needed");
    }
    if (entry.Has("certificate")) {
      HOLDFAST_ASSIGN_OR_RETURN(std::string name, entry.Text("certificate"));
      if (by_certificate.emplace(std::move(name), std::move(known)).second) return {};
      return entry.Bad("certificate", "is that of an entry above");
    }
    Digest digest;
    if (entry.Has("sha256")) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::string hex, entry.Text("sha256"));
      const auto decoded = DigestFromHex(hex);
      if (!decoded) return entry.Bad("sha256", "is not 64 hex digits");
      digest = *decoded;
    } else {
      HOLDFAST_ASSIGN_OR_RETURN(const std::string token, entry.Text("token"));
      const bool sendable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
      if (!sendable) return entry.Bad("token", "holds characters that a header cannot carry; take visible ASCII");
      digest = Sha256(token);
    }
    if (by_digest.emplace(digest, std::move(known)).second) return {};
    return entry.Bad("token", "or its sha256 is that of an entry above");
  }
};

AccessFile::AccessFile(Parts parts)
    : by_digest_(std::move(parts.by_digest)),
      by_certificate_(std::move(parts.by_certificate)),
      policy_(std::move(parts.rules)) {}

Result<AccessFile> AccessFile::Parse(std::string_view text, std::string_view name) {
  if (text.size() > kMaxAccessFileBytes) return Invalid(name, fmt::format("is above {} bytes", kMaxAccessFileBytes));
  const auto documents = config::ParseYamlDocuments(text, name);
  if (!documents.ok()) {
    // "name:line:column: why", and the why may quote.
    const std::string& message = documents.error().message();
    const std::size_t end = message.find(": ", std::min(name.size(), message.size()));
    return Invalid(message.substr(0, end), "is no YAML or JSON that can be read; quote what is text");
  }
  if (documents->size() != 1 || !documents->front().is_object()) {
    return Invalid(name, "is not one mapping with `tokens` and `rules`");
  }
  const json& root = documents->front();
  HOLDFAST_RETURN_IF_ERROR(EntryReader(root, std::string(name)).CheckMembers({"tokens", "rules"}));
  Parts parts;
  const auto each = [&](const char* list, std::size_t limit, const auto& add) -> Status {
    const auto found = root.find(list);
    if (found == root.end()) return {};
    if (!found->is_array()) return Invalid(name, fmt::format("{} is no list", list));
    if (found->size() > limit) return Invalid(name, fmt::format("{} has more than {} entries", list, limit));
    for (std::size_t i = 0; i < found->size(); ++i) {
      HOLDFAST_RETURN_IF_ERROR(add(EntryReader((*found)[i], fmt::format("{}: {}[{}]", name, list, i))));
    }
    return {};
  };
  HOLDFAST_RETURN_IF_ERROR(each("tokens", kMaxTokens, [&](const EntryReader& entry) { return parts.AddToken(entry); }));
  HOLDFAST_RETURN_IF_ERROR(each("rules", kMaxRules, [&](const EntryReader& entry) -> Status {
    HOLDFAST_ASSIGN_OR_RETURN(Rule rule, ReadRule(entry));
    parts.rules.push_back(std::move(rule));
    return {};
  }));
  return AccessFile(std::move(parts));
}

PrincipalPtr AccessFile::FindToken(std::string_view token, Timestamp now) const {
  const Digest digest = Sha256(token);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || !EqualInConstantTime(found->first, digest)) return nullptr;
  if (found->second.expires_at && *found->second.expires_at <= now) return nullptr;
  return found->second.principal;
}

PrincipalPtr AccessFile::FindCertificate(std::string_view name, Timestamp now) const {
  const auto found = by_certificate_.find(std::string(name));
  if (found == by_certificate_.end()) return nullptr;
  if (found->second.expires_at && *found->second.expires_at <= now) return nullptr;
  return found->second.principal;
}

}  // namespace holdfast::tenancy
