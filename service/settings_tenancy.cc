#include "service/settings_tenancy.h"

#include <fmt/format.h>

#include "service/setting_values.h"

namespace holdfast::service {

void ReadTenancy(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems) {
  const auto add = [&](std::string_view setting, std::string message) {
    problems->push_back({fmt::format("setting {}", setting), std::move(message)});
  };
  tenancy::AccessOptions& access = result->access;
  access.mode =
      Chosen<tenancy::AuthMode>(settings.String("auth.mode"), {{"none", tenancy::AuthMode::kNone},
                                                               {"tokens", tenancy::AuthMode::kTokens},
                                                               {"serviceaccount", tenancy::AuthMode::kServiceAccount},
                                                               {"both", tenancy::AuthMode::kBoth}});
  access.file = settings.String("auth.tokens_file");
  access.reread_interval = settings.Duration("auth.reread_interval");
  if (access.mode != tenancy::AuthMode::kNone && access.file.empty()) {
    add("auth.tokens_file", "is missing: it holds the rules, and without a rule nobody may do anything");
  }
  access.review.server = settings.String("auth.kubernetes_url");
  access.review.ca_file = settings.String("auth.kubernetes_ca_file");
  access.review.token_file = settings.String("auth.kubernetes_token_file");
  access.review.audience = settings.String("auth.audience");
  if (access.review.server.empty()) access.review.server = "https://kubernetes.default.svc";
  access.service_accounts.timeout = settings.Duration("auth.review_timeout");
  access.service_accounts.threads = static_cast<int>(settings.Integer("auth.review_threads"));
  access.service_accounts.max_waiting = Number(settings, "auth.review_queue");
  access.service_accounts.cache_entries = Number(settings, "auth.cache_entries");
  access.service_accounts.cache_ttl = settings.Duration("auth.cache_ttl");
  access.service_accounts.refusal_ttl = settings.Duration("auth.refusal_ttl");
  result->audit.on = settings.Bool("audit.on");
  result->audit.max_entries = Number(settings, "audit.max_entries");
  result->audit.file = settings.String("audit.file");
  if (!result->audit.on && !result->audit.file.empty()) {
    add("audit.file", "has no meaning while audit.on is false; set that or leave it out");
  }
}

}  // namespace holdfast::service
