#include "operator/api/v1/write_queue_rules.h"

#include <algorithm>
#include <array>

namespace holdfast::api {
namespace {

constexpr char kThrough[] = "Through";
constexpr char kBack[] = "Back";
constexpr char kQueue[] = "writeQueue";
// What says how a queue is used that takes writes.
constexpr std::array kOfTaking = {"writeQueueEntries", "writeQueueBytes",    "writeBackDelay",  "writeCallTimeout",
                                  "writeRetryMax",     "writeLookupTimeout", "writeConflictTtl"};

bool IsThrough(const Json& tiered) {
  return tiered.at("write") == kThrough;
}

Rule NeedsQueueRule() {
  return {.cel = "self.write == 'Through' || has(self.writeQueue)",
          .message =
              "write Behind and Back need writeQueue: the name of an embedded backend, on whose volume acknowledged "
              "writes outlive the pod",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (IsThrough(self) || self.contains(kQueue)) return {};
            return {kQueue};
          },
          .field_path = ".writeQueue"};
}

Rule OnlyOfTakingRule() {
  std::string any;
  for (const char* name : kOfTaking) any += std::string(any.empty() ? "has(self." : " || has(self.") + name + ")";
  return {.cel = "self.write != 'Through' || !(" + any + ")",
          .message =
              "writeQueueEntries and the other fields of a queue have no meaning with write: Through, which queues "
              "nothing; say Behind or Back, or leave them out",
          .broken_at =
              [](const Json& self, const Json*) {
                std::vector<std::string> broken;
                for (const char* name : kOfTaking) {
                  if (IsThrough(self) && self.contains(name)) broken.emplace_back(name);
                }
                return broken;
              },
          .field_path = ".write"};
}

Rule DelayOfBackRule() {
  return {.cel = "self.write != 'Behind' || !has(self.writeBackDelay)",
          .message = "writeBackDelay has no meaning with write: Behind; say Back, or leave it out",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const bool broken = !IsThrough(self) && self.at("write") != kBack && self.contains("writeBackDelay");
            if (!broken) return {};
            return {"writeBackDelay"};
          },
          .field_path = ".writeBackDelay"};
}

Rule QueueIsAnotherRule() {
  return {.cel = "!has(self.writeQueue) || self.writeQueue != self.store",
          .message = "writeQueue must be another backend than store, which would be written twice",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!self.contains(kQueue) || self.at(kQueue) != self.at("store")) return {};
            return {kQueue};
          },
          .field_path = ".writeQueue"};
}

// The queue in which acknowledged writes of the store may wait; empty: none can.
std::string QueueInUse(const Json& store) {
  if (!store.contains("tiered") || IsThrough(store.at("tiered"))) return {};
  return store.at("tiered").value(kQueue, std::string());
}

}  // namespace

std::vector<Rule> WriteModeRules() {
  return {NeedsQueueRule(), OnlyOfTakingRule(), DelayOfBackRule(), QueueIsAnotherRule()};
}

Rule WriteQueueStaysRule() {
  return {.cel =
              "!has(oldSelf.tiered) || !has(oldSelf.tiered.writeQueue) || oldSelf.tiered.write == 'Through' || "
              "(has(self.tiered) && has(self.tiered.writeQueue) && "
              "self.tiered.writeQueue == oldSelf.tiered.writeQueue)",
          .message =
              "tiered.writeQueue stays while write is Behind or Back, because acknowledged writes wait there: say "
              "write: Through with the same writeQueue first, and change or remove it when "
              "composition.tiered.queue.entries of GET /v1/stores/<name> is 0",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            const std::string before = QueueInUse(*old);
            const bool kept = self.contains("tiered") && self.at("tiered").value(kQueue, std::string()) == before;
            if (before.empty() || kept) return {};
            return {"tiered.writeQueue"};
          },
          .transition = true};
}

Rule WriteQueueIsEmbeddedRule() {
  return {.cel =
              "self.stores.all(s, !has(s.tiered) || !has(s.tiered.writeQueue) || self.backends.all(b, "
              "b.name != s.tiered.writeQueue || has(b.embedded)))",
          .message =
              "tiered.writeQueue must be an embedded backend, whose volume outlives the pod: a queue in memory is lost "
              "with it, and one on a server would be another pod's as well; add an embedded backend",
          .broken_at =
              [](const Json& self, const Json*) {
                std::vector<std::string> broken;
                const Json& stores = self.at("stores");
                for (std::size_t i = 0; i < stores.size(); ++i) {
                  if (!stores[i].contains("tiered")) continue;
                  const std::string queue = stores[i].at("tiered").value(kQueue, std::string());
                  const Json& backends = self.at("backends");
                  const bool elsewhere = std::any_of(backends.begin(), backends.end(), [&](const Json& backend) {
                    return backend.at("name") == queue && !backend.contains("embedded");
                  });
                  if (elsewhere) broken.push_back("stores[" + std::to_string(i) + "].tiered.writeQueue");
                }
                return broken;
              },
          .field_path = ".stores"};
}

}  // namespace holdfast::api
