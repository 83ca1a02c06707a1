#include "service/api/authorise.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::api {
namespace {

using tenancy::Identity;
using tenancy::Verb;

Problem Unauthenticated() {
  return Problem::Of("unauthenticated",
                     "the caller is not known; send `Authorization: Bearer` once, with a token that is valid here");
}

// The token of `Bearer <token>` (RFC 6750, 2.1); nullopt when the value is something else.
std::optional<std::string_view> BearerToken(std::string_view value) {
  constexpr std::string_view kScheme = "bearer";
  if (value.size() <= kScheme.size() || value[kScheme.size()] != ' ') return std::nullopt;
  const bool is_bearer = std::equal(kScheme.begin(), kScheme.end(), value.begin(), [](char lower, char given) {
    return lower == (given >= 'A' && given <= 'Z' ? static_cast<char>(given - 'A' + 'a') : given);
  });
  if (!is_bearer) return std::nullopt;
  std::string_view token = value.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  const bool sendable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || token.size() > tenancy::kMaxBearerTokenBytes || !sendable) return std::nullopt;
  return token;
}

// nullopt when what was sent is no credentials at all.
std::optional<tenancy::Credentials> ReadCredentials(Exchange& exchange) {
  tenancy::Credentials credentials;
  const Request& request = exchange.request();
  if (exchange.headers().authorization) {
    // Which of two the one in front of us took nobody knows.
    if (request.CountOf("authorization") > 1) return std::nullopt;
    const auto token = BearerToken(*exchange.headers().authorization);
    if (!token) return std::nullopt;
    credentials.bearer = *token;
  }
  if (const ClientCertificate* certificate = request.client_certificate) {
    if (!certificate->common_name.empty()) credentials.certificate_names.push_back(certificate->common_name);
    for (const std::string& name : certificate->dns_names) credentials.certificate_names.push_back(name);
    for (const std::string& uri : certificate->uris) credentials.certificate_names.push_back(uri);
  }
  return credentials;
}

void GoOn(ExchangePtr exchange, const Identity& identity, const Proceed& proceed) {
  switch (identity.kind) {
    case Identity::Kind::kKnown:
      exchange->SetCaller(identity.principal, exchange->context().tenancy.access->policy());
      return proceed(std::move(exchange));
    case Identity::Kind::kUnknown:
      return exchange->Fail(Unauthenticated());
    case Identity::Kind::kUnavailable:
      return exchange->Fail("unavailable", "whose token this is cannot be found out now; try again later");
  }
}

Problem Forbidden(std::string_view verb) {
  return Problem::Of("forbidden", fmt::format("no rule allows the caller {} here; ask whoever keeps the rules", verb));
}

tenancy::Place PlaceOf(const Exchange& exchange, std::string_view store) {
  return {store, exchange.name_space()};
}

}  // namespace

void Authenticate(ExchangePtr exchange, Proceed proceed) {
  tenancy::AccessControl& access = *exchange->context().tenancy.access;
  if (!access.on()) return proceed(std::move(exchange));
  const auto credentials = ReadCredentials(*exchange);
  if (!credentials) return exchange->Fail(Unauthenticated());
  if (const auto identity = access.authenticator().Recognise(*credentials)) {
    return GoOn(std::move(exchange), *identity, proceed);
  }
  // The token lives in the request, and that until it is answered.
  Exchange* const raw = exchange.release();
  access.authenticator().Ask(credentials->bearer, [raw, proceed = std::move(proceed)](const Identity& identity) {
    GoOn(ExchangePtr(raw), identity, proceed);
  });
}

std::optional<Problem> CheckPlace(const Exchange& exchange, const tenancy::Access& access, std::string_view store) {
  if (exchange.policy() == nullptr || access.anybody()) return std::nullopt;
  if (exchange.policy()->AllowsSomewhere(exchange.caller(), access.verb(), PlaceOf(exchange, store))) {
    return std::nullopt;
  }
  return Forbidden(access.verb() ? tenancy::VerbName(*access.verb()) : "anything");
}

std::optional<Problem> CheckRate(const Exchange& exchange) {
  const tenancy::UsageAccounts& accounts = *exchange.context().tenancy.accounts;
  if (!accounts.any_rate()) return std::nullopt;
  tenancy::NamespaceAccount* account = accounts.Find(exchange.name_space());
  if (account == nullptr) return std::nullopt;
  const auto wait = account->TakeRequest(exchange.context().options.clock->Monotonic());
  if (!wait) return std::nullopt;
  Problem problem =
      Problem::Of("rate_limited", fmt::format("the namespace {} may make {} requests per second (its quota); slow down",
                                              exchange.name_space(), account->quota().requests_per_second.value_or(0)));
  problem.retry_after_seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(*wait).count());
  return problem;
}

std::optional<Problem> CheckSubject(Exchange& exchange, const tenancy::Access& access) {
  if (exchange.policy() == nullptr && exchange.audit() == nullptr) return std::nullopt;
  const std::string* prefix = exchange.query().Find("prefix");
  const std::string_view subject = !exchange.key().empty() ? std::string_view(exchange.key())
                                   : prefix != nullptr     ? std::string_view(*prefix)
                                                           : std::string_view();
  if (exchange.audit() != nullptr) exchange.audit()->SetSubject(subject);
  if (!access.verb()) return std::nullopt;
  if (auto refused = CheckAllowed(exchange, *access.verb(), subject)) return refused;
  return access.also() ? CheckAllowed(exchange, *access.also(), subject) : std::nullopt;
}

std::optional<Problem> CheckAllowed(const Exchange& exchange, Verb verb, std::string_view name) {
  if (exchange.policy() == nullptr) return std::nullopt;
  const std::string_view store = exchange.has_store() ? std::string_view(exchange.store().name) : std::string_view();
  if (exchange.policy()->Allows(exchange.caller(), verb, PlaceOf(exchange, store), name)) return std::nullopt;
  return Forbidden(tenancy::VerbName(verb));
}

std::optional<Problem> CheckWholeStore(const Exchange& exchange, Verb verb) {
  if (exchange.policy() == nullptr) return std::nullopt;
  // No namespace has this name, so that only a rule for all of them covers it.
  constexpr std::string_view kEveryNamespace = "*";
  const tenancy::Place place{exchange.store().name, kEveryNamespace};
  if (exchange.policy()->Allows(exchange.caller(), verb, place, "")) return std::nullopt;
  return Problem::Of("forbidden", fmt::format("no rule allows the caller {} in every namespace of the store, all of "
                                              "which this is about; ask whoever keeps the rules",
                                              tenancy::VerbName(verb)));
}

std::optional<Problem> CheckAllowed(const Exchange& exchange, const storage::Operation& operation) {
  if (exchange.policy() == nullptr) return std::nullopt;
  switch (operation.kind) {
    case storage::OperationKind::kGet:
      return CheckAllowed(exchange, Verb::kRead, operation.key);
    case storage::OperationKind::kDelete:
      return CheckAllowed(exchange, Verb::kDelete, operation.key);
    case storage::OperationKind::kTake:
      if (auto refused = CheckAllowed(exchange, Verb::kRead, operation.key)) return refused;
      return CheckAllowed(exchange, Verb::kDelete, operation.key);
    default:
      return CheckAllowed(exchange, Verb::kWrite, operation.key);
  }
}

}  // namespace holdfast::api
