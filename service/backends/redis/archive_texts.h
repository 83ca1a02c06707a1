// The Lua of the change archives (kept_changes.h): what a step that writes keeps for them, and the scripts that read,
// release and claim one. Keys: docs/formats/redis.md.
#pragma once

namespace holdfast::storage::redis_backend {

// Of every script that knows archives, behind kCommonText: names, and giving one up.
extern const char* const kArchivesText;
// Of a step that writes, in front of kStepText.
extern const char* const kKeepText;
// Of the scripts below, behind kArchivesText.
extern const char* const kArchiveText;
extern const char* const kBeginArchiveText;
extern const char* const kReadArchiveText;
extern const char* const kReleaseArchiveText;
extern const char* const kClaimArchiveText;
extern const char* const kYieldArchiveText;

}  // namespace holdfast::storage::redis_backend
