// New passwords for a Redis backend, without a moment in which anybody is refused, by the same wish, annotations and
// steps as those of PostgreSQL (rotation.h). Redis lets a user in by two passwords, so that users stay who they are and
// the credentials hold two of each while a rotation lasts: the one in use, and the other (resources::OtherPassword).
//
//   Admitting   the others are new, and the files of users name both; beside every server and sentinel follow.sh
//               (resources/redis_follow.cc) tells it so, and shows that by a mark
//   Switching   the new ones are in use, the former still good: servers log in to their master, and sentinels to
//   servers
//               and to each other, with the new ones, shown by the next mark; the service's pods are made anew
//   Retiring    the former ones are gone from the credentials, and the last mark shows that nobody is let in by them
//
// No server is restarted, and no connection ends. Each step waits for the marks of every server and sentinel, which a
// Job looks for (resources/redis_login_job.cc), and is one write of the Secret, which holds everything that has to be
// remembered: also a server that starts anew at any moment reads the users of the step that the Secret is at, or of the
// one before, which is as good.
#pragma once

#include "operator/controllers/storagecluster/rotation.h"

namespace holdfast::storagecluster {

// What BuildOptions::redis_changes asks for, of the credentials that are there.
std::map<std::string, resources::RedisChange> RedisChangesOf(const api::StorageCluster& cluster,
                                                             const Observed& observed);
// What BuildOptions::redis_wishes asks for.
std::map<std::string, std::string> RedisWishesOf(const api::StorageCluster& cluster, const Observed& observed);

// The next step of the backend into `plan`. Pure but for new passwords.
Status PlanRedisRotation(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Json& secret,
                         const std::string& wish, const std::vector<resources::DesiredObject>& desired,
                         const Observed& observed, RotationPlan* plan);

}  // namespace holdfast::storagecluster
