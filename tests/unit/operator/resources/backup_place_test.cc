// How many backups of each store are kept, in the service's settings.
#include "operator/resources/backup_place.h"

#include <gtest/gtest.h>

#include "tests/unit/operator/resources/settings_of.h"

namespace holdfast::resources {
namespace {

using kube::Json;

Json StoresWith(const std::string& backups) {
  return SettingsOf(Cluster("backends: [{name: local, memory: {}}]\n"
                            "stores: [{name: main, backend: local}, {name: other, backend: local}]\n" +
                            backups))
      .at("stores");
}

TEST(BackupPlace, RetentionIsASettingOfEveryStore) {
  const Json stores = StoresWith("backups: {claimName: backups, retention: {keepLast: 3, keepDays: 14, keepWeeks: 8}}");
  for (const char* store : {"main", "other"}) {
    EXPECT_EQ(stores.at(store),
              Json({{"backend", "local"}, {"backup_keep_last", 3}, {"backup_keep_days", 14}, {"backup_keep_weeks", 8}}))
        << store;
  }
}

TEST(BackupPlace, WhatOfRetentionIsNotGivenIsAsTheServiceHasItByDefault) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups, retention: {keepWeeks: 4}}").at("main"),
            Json({{"backend", "local"}, {"backup_keep_last", 7}, {"backup_keep_days", 0}, {"backup_keep_weeks", 4}}));
}

TEST(BackupPlace, RetentionOfNothingKeepsEverything) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups, retention: {keepLast: 0}}").at("main"),
            Json({{"backend", "local"}, {"backup_keep_last", 0}, {"backup_keep_days", 0}, {"backup_keep_weeks", 0}}));
}

// Clusters of a former release: nothing that is new may restart their pods.
TEST(BackupPlace, WithoutRetentionStoresHaveNoSettingOfIt) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups}").at("main"), Json({{"backend", "local"}}));
}

}  // namespace
}  // namespace holdfast::resources
