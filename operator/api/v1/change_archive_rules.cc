#include "operator/api/v1/change_archive_rules.h"

#include <functional>

namespace holdfast::api {
namespace {

constexpr char kField[] = "changeArchive";

bool HasOne(const Json& store) {
  return store.value(kField, false);
}

// "stores[i].changeArchive" of every store with one of which `broken` says so.
std::vector<std::string> Paths(const Json& spec, const std::function<bool(const Json& store)>& broken) {
  std::vector<std::string> paths;
  const Json& stores = spec.at("stores");
  for (std::size_t i = 0; i < stores.size(); ++i) {
    if (HasOne(stores[i]) && broken(stores[i])) paths.push_back("stores[" + std::to_string(i) + "]." + kField);
  }
  return paths;
}

}  // namespace

Rule ChangeArchiveStandsAloneRule() {
  return {
      .cel =
          "!has(self.changeArchive) || !self.changeArchive || (!has(self.failover) && !has(self.replicated) && "
          "(!has(self.tiered) || !has(self.tiered.writeQueue)))",
      .message =
          "changeArchive cannot be had beside failover, replicated or tiered.writeQueue, by which changes come past "
          "the backend; leave one out",
      .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
        const bool alone = !self.contains("failover") && !self.contains("replicated") &&
                           !(self.contains("tiered") && self.at("tiered").contains("writeQueue"));
        if (!HasOne(self) || alone) return {};
        return {kField};
      },
      .field_path = ".changeArchive"};
}

Rule ChangeArchiveNeedsPlaceRule() {
  return {.cel =
              "(has(self.backups) && (has(self.backups.claimName) || has(self.backups.s3))) || self.stores.all(s, "
              "!has(s.changeArchive) || !s.changeArchive)",
          .message =
              "changeArchive of a store needs spec.backups, where it lies beside the backups: name a claim or a "
              "bucket there",
          .broken_at =
              [](const Json& self, const Json*) {
                const Json backups = self.value("backups", Json::object());
                const bool place = backups.contains("claimName") || backups.contains("s3");
                return Paths(self, [&](const Json&) { return !place; });
              },
          .field_path = ".stores"};
}

}  // namespace holdfast::api
