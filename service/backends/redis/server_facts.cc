#include "service/backends/redis/server_facts.h"

#include <fmt/format.h>

#include <array>

#include "base/redis/reply.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr std::array kSections = {"server", "persistence", "memory", "replication"};

std::string_view Field(std::string_view info, std::string_view name) {
  for (std::size_t begin = 0; begin < info.size();) {
    const std::size_t end = std::min(info.find('\n', begin), info.size());
    std::string_view line = info.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }
  return {};
}

}  // namespace

ServerFacts FactsOf(std::string_view info) {
  ServerFacts facts;
  facts.run_id = Field(info, "run_id");
  if (Field(info, "role") == "master") facts.history = Field(info, "master_replid");
  facts.append_only = Field(info, "aof_enabled") == "1";
  if (const std::string_view policy = Field(info, "maxmemory_policy"); !policy.empty()) facts.eviction = policy;
  return facts;
}

Result<ServerFacts> AskFacts(redis::Connection& connection, Deadline deadline) {
  redis::Pipeline pipeline;
  for (const char* section : kSections) pipeline.Add(redis::Effect::kRead, {"INFO", section});
  pipeline.Add(redis::Effect::kRead, {"CONFIG", "GET", "appendfsync"});
  redis::Replies replies = connection.Run(pipeline, deadline);
  std::string info;
  for (std::size_t i = 0; i < kSections.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string section, redis::AsString(std::move(replies[i]), "INFO"));
    info.append(section).append("\n");
  }
  ServerFacts facts = FactsOf(info);
  const auto configured = redis::AsArray(std::move(replies[kSections.size()]), "CONFIG GET");
  if (configured.ok() && configured->size() == 2 && (*configured)[1].IsString()) {
    facts.append_fsync = (*configured)[1].text();
  }
  return facts;
}

Status CheckFacts(const ServerFacts& facts, bool durable) {
  if (facts.eviction.starts_with("allkeys-")) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("the server's maxmemory-policy is {}, which evicts rows of the backend's own index: set it "
                    "to noeviction",
                    facts.eviction));
  }
  if (!durable) return {};
  if (!facts.append_only) {
    return Error(ErrorCode::kUnavailable,
                 "the backend is declared durable and the server has no append-only file: set appendonly yes and "
                 "appendfsync always on the server, or durable: false");
  }
  if (!facts.append_fsync) {
    return Error(
        ErrorCode::kUnavailable,
        "the backend is declared durable and the server does not tell its appendfsync: allow CONFIG GET to the "
        "user (ACL +config|get), or set durable: false");
  }
  if (*facts.append_fsync != "always") {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the backend is declared durable and the server's appendfsync is {}: set it to always, or "
                             "durable: false",
                             *facts.append_fsync));
  }
  return {};
}

std::string_view DurabilityOf(const ServerFacts& facts) {
  if (!facts.append_only) return "memory";
  if (facts.append_fsync == "always") return "sync";
  // Not told: what Redis does unless told otherwise.
  return facts.append_fsync == "no" ? "os" : "interval";
}

}  // namespace holdfast::storage::redis_backend
