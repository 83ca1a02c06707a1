// What rotations of passwords have in common (rotation.h, redis_rotation.h): where one is, as annotations of the
// credentials say; what it waits for; and how a step is taken, as one write of that Secret.
#pragma once

#include <string>
#include <vector>

#include "operator/controllers/storagecluster/rotation.h"

namespace holdfast::storagecluster {

inline constexpr char kAdmitting[] = "Admitting";
inline constexpr char kSwitching[] = "Switching";
inline constexpr char kRetiring[] = "Retiring";

// "" when it is not there.
std::string AnnotationOf(const Json& object, const char* name);

// Of the pods of a role of the backend, in order.
std::vector<std::string> AddressesOf(const std::string& backend, const char* role, bool only_ready,
                                     const Observed& observed);

// Every pod of it is of its newest template and ready, and none of a former one is left.
bool IsRolledOut(const Json* workload);
// Not while a former pod is still ending, either: it may yet log in as it did.
bool ServiceIsRolledOut(const api::StorageCluster& cluster, const Observed& observed);

// Of the one backend that a plan is made for.
class RotationStep {
 public:
  // All of them outlive the step.
  RotationStep(const api::BackendSpec& backend, const Json& secret,
               const std::vector<resources::DesiredObject>& desired, const Observed& observed, RotationPlan* plan)
      : backend_(backend), secret_(secret), desired_(desired), observed_(observed), plan_(*plan) {}

  // "backend db: "
  std::string Of() const { return "backend " + backend_.name + ": "; }
  void Wait(const std::string& what) const;
  // `data` of the Secret: null when it stays.
  void Take(Json annotations, Json data, const char* event, const std::string& because) const;
  // Whether the Job of this step has done its work; else why not stands in the plan. `task`: what it does.
  bool JobIsDone(const std::string& task) const;

 private:
  const api::BackendSpec& backend_;
  const Json& secret_;
  const std::vector<resources::DesiredObject>& desired_;
  const Observed& observed_;
  RotationPlan& plan_;
};

}  // namespace holdfast::storagecluster
