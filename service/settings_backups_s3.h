// The rows of backups that go to an S3-compatible server, or are there of another deployment, and what they come to.
#pragma once

#include <optional>
#include <vector>

#include "base/config/settings.h"
#include "service/backup/s3_target.h"

namespace holdfast::service {

void AddBackupsS3(std::vector<config::Setting>* rows);
// Those of backups.source.s3: what reading needs.
void AddSourceS3(std::vector<config::Setting>* rows);
// nullopt: they do not go there. What makes no sense is added to `problems`; keys are read when they are used.
std::optional<backup::S3TargetOptions> ReadBackupsS3(const config::Settings& settings,
                                                     std::vector<config::Problem>* problems);
std::optional<backup::S3TargetOptions> ReadSourceS3(const config::Settings& settings,
                                                    std::vector<config::Problem>* problems);

}  // namespace holdfast::service
