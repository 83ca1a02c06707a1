#include "service/tenancy/service_accounts.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/log/log.h"
#include "service/execution/task_pool.h"
#include "service/tenancy/identity_cache.h"

namespace holdfast::tenancy {
namespace {

// Three parts of base64url with dots between them (RFC 7515, compact serialization); the signature may not be empty.
bool LooksLikeJsonWebToken(std::string_view token) {
  std::size_t parts = 0;
  while (true) {
    const std::size_t dot = token.find('.');
    const std::string_view part = token.substr(0, dot);
    const bool base64url = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (part.empty() || !base64url || ++parts > 3) return false;
    if (dot == std::string_view::npos) return parts == 3;
    token.remove_prefix(dot + 1);
  }
}

class ServiceAccounts final : public Authenticator {
 public:
  ServiceAccounts(TokenReview review, const ServiceAccountOptions& options, metrics::Registry& registry,
                  const Clock& clock)
      : review_(std::move(review)),
        options_(options),
        clock_(clock),
        known_total_(Count(registry, "known")),
        unknown_total_(Count(registry, "unknown")),
        unavailable_total_(Count(registry, "unavailable")),
        known_(options.cache_entries, options.cache_ttl),
        unknown_(options.cache_entries, options.refusal_ttl),
        pool_(options.threads, options.max_waiting) {}

  std::optional<Identity> Recognise(const Credentials& credentials) override {
    const std::string_view token = credentials.bearer;
    if (token.size() > kMaxBearerTokenBytes || !LooksLikeJsonWebToken(token)) return Identity::Unknown();
    const Digest digest = Sha256(token);
    const std::lock_guard lock(mutex_);
    return Cached(digest);
  }

  void Ask(std::string_view bearer, Done done) override {
    const Digest digest = Sha256(bearer);
    std::optional<Identity> cached;
    Done known;  // for what is cached
    {
      const std::lock_guard lock(mutex_);
      cached = Cached(digest);
      if (cached) {
        known = std::move(done);
      } else {
        std::vector<Done>& waiting = waiting_[digest];
        waiting.push_back(std::move(done));
        if (waiting.size() > 1) return;
      }
    }
    if (cached) return known(*cached);
    const bool queued = pool_.Add([this, digest, token = std::string(bearer)] { Answer(digest, Review(token)); });
    if (!queued) Answer(digest, Identity::Unavailable());
  }

  void Stop() override { pool_.Drain(); }

 private:
  static metrics::Counter& Count(metrics::Registry& registry, const std::string& result) {
    return registry.GetCounter("holdfast_token_reviews_total", "Tokens the Kubernetes API was asked about.",
                               {{"result", result}});
  }

  // Requires mutex_.
  std::optional<Identity> Cached(const Digest& digest) {
    const MonotonicTime now = clock_.Monotonic();
    if (auto principal = known_.Find(digest, now)) return Identity::Known(std::move(*principal));
    if (unknown_.Find(digest, now)) return Identity::Unknown();
    return std::nullopt;
  }

  Identity Review(const std::string& token) {
    const auto principal = review_(token, Deadline::After(options_.timeout));
    if (!principal.ok()) {
      unavailable_total_.Increment();
      // An outage is one line, not one per request.
      if (!failing_.exchange(true)) log::Warn("tokens cannot be reviewed", {{"error", principal.error().message()}});
      return Identity::Unavailable();
    }
    if (failing_.exchange(false)) log::Info("tokens can be reviewed again");
    (*principal != nullptr ? known_total_ : unknown_total_).Increment();
    return *principal != nullptr ? Identity::Known(*principal) : Identity::Unknown();
  }

  void Answer(const Digest& digest, const Identity& identity) {
    std::vector<Done> waiting;
    {
      const std::lock_guard lock(mutex_);
      const MonotonicTime now = clock_.Monotonic();
      if (identity.kind == Identity::Kind::kKnown) known_.Put(digest, identity.principal, now);
      if (identity.kind == Identity::Kind::kUnknown) unknown_.Put(digest, nullptr, now);
      waiting.swap(waiting_[digest]);
      waiting_.erase(digest);
    }
    for (const Done& done : waiting) done(identity);
  }

  const TokenReview review_;
  const ServiceAccountOptions options_;
  const Clock& clock_;
  metrics::Counter& known_total_;
  metrics::Counter& unknown_total_;
  metrics::Counter& unavailable_total_;
  std::atomic<bool> failing_{false};

  std::mutex mutex_;
  IdentityCache known_;                                                // guarded by mutex_
  IdentityCache unknown_;                                              // guarded by mutex_
  std::unordered_map<Digest, std::vector<Done>, DigestHash> waiting_;  // guarded by mutex_; by token under review
  execution::TaskPool pool_;                                           // last: its threads use the others
};

}  // namespace

std::unique_ptr<Authenticator> MakeServiceAccountAuthenticator(TokenReview review, const ServiceAccountOptions& options,
                                                               metrics::Registry& registry, const Clock& clock) {
  return std::make_unique<ServiceAccounts>(std::move(review), options, registry, clock);
}

}  // namespace holdfast::tenancy
