// What the OpenAPI document says of the routes' parameters and answers; route_table.cc is the one user.
#pragma once

#include "service/api/route_table.h"

namespace holdfast::api {

constexpr auto kText = ParameterType::kText;
constexpr auto kInteger = ParameterType::kInteger;
constexpr auto kChoice = ParameterType::kChoice;

constexpr QueryParameter kGetKeyQuery[] = {
    {"consistency", kChoice, "eventual: the answer may come from a replica, if there is one; default strong.",
     "strong,eventual"},
    {"min_version", kText, "With eventual: the ETag of a write of this key that the answer must not be older than."},
};
constexpr QueryParameter kPostKeyQuery[] = {
    {"action", kChoice, "What to do with the key.", "take,touch,increment", true},
};
constexpr QueryParameter kListQuery[] = {
    {"prefix", kText, "Only keys that begin with these bytes."},
    {"start", kText, "Only keys from this one on, in byte order."},
    {"end", kText, "Only keys before this one; empty = no end."},
    {"limit", kInteger, "Most items of one page; default 100."},
    {"cursor", kText, "Where the page before ended, as it said; empty = the first page."},
    {"order", kChoice, "By bytes of the key; default asc.", "asc,desc"},
    {"values", kChoice, "Whether items carry their values; default false.", "true,false"},
    {"consistency", kChoice, "eventual: the page may come from a replica, if there is one; default strong.",
     "strong,eventual"},
    {"delimiter", kText, "Keys that go on behind this are gathered in `prefixes`; empty = none."},
    {"filter", kText, "Only entries for which this holds, such as: metadata.source = \"kafka\" and tags has \"eu\"."},
};
constexpr QueryParameter kCountQuery[] = {
    {"prefix", kText, "Only keys that begin with these bytes."},
};
constexpr QueryParameter kDeleteKeysQuery[] = {
    {"prefix", kText, "Which keys go. Empty = all, and then confirm=all is needed.", "", true},
    {"confirm", kChoice, "Needed with an empty prefix.", "all"},
};

constexpr QueryParameter kHotKeysQuery[] = {
    {"limit", kInteger, "Most keys of the answer; default 10, at most 1000."},
};

constexpr QueryParameter kConflictsQuery[] = {
    {"limit", kInteger, "Most conflicts of the answer; default 100, at most 1000."},
};

constexpr QueryParameter kReleaseQuery[] = {
    {"lease", kText, "The one that holds it, as the acquire gave it.", "", true},
};
constexpr QueryParameter kChannelQuery[] = {
    {"pattern", kChoice, "Whether the name is a glob over channels: * any run, ? one byte, \\ literally.",
     "true,false"},
};
constexpr QueryParameter kWatchQuery[] = {
    {"prefix", kText, "Only keys that begin with these bytes."},
    {"since", kText, "Only what came behind this position; Last-Event-ID says the same and goes first."},
    {"wait", kText, "A duration: one JSON answer as soon as there is a change, or when it is over."},
};
constexpr QueryParameter kCollectionsQuery[] = {
    {"limit", kInteger, "Most items of one page; default 100."},
    {"cursor", kText, "Where the page before ended, as it said; empty = the first page."},
};
constexpr QueryParameter kFindQuery[] = {
    {"filter", kText, "Only documents for which this holds, such as: severity = \"P0\" and state != \"Resolved\"."},
    {"order", kText, "An indexed path, with '-' in front for the largest first: -created_at. Else any order."},
    {"limit", kInteger, "Most items of one page; default 100."},
    {"cursor", kText, "Where the page before ended, as it said; empty = the first page."},
};
constexpr QueryParameter kCountDocumentsQuery[] = {
    {"filter", kText, "Only documents for which this holds."},
};
constexpr QueryParameter kAuditQuery[] = {
    {"since", kText, "Only what happened from this moment on: an RFC 3339 timestamp."},
    {"key", kText, "Only changes of this key, or under this name or prefix as it was given."},
    {"actor", kText, "Only changes by this caller."},
    {"limit", kInteger, "Most records of one page; default 100."},
    {"cursor", kText, "Where the page before ended, as it said; empty = from the oldest record on."},
};

constexpr DocumentedResponse kGetKeyResponses[] = {
    {200, "The value, with the content type it was stored with.", "bytes"},
    {206, "The part of it that Range asks for; Content-Range says which.", "bytes"},
    {304, "If-None-Match names the current version.", ""},
    {404, "There is no such store or key.", "Problem"},
    {412, "If-Match does not hold.", "Problem"},
    {416, "The value has none of the bytes of Range; Content-Range says how many it has.", "Problem"},
};
// Range is defined for GET alone (RFC 9110, 14.2).
constexpr DocumentedResponse kHeadKeyResponses[] = {
    {200, "The headers that a GET gives.", "bytes"},
    {304, "If-None-Match names the current version.", ""},
    {404, "There is no such store or key.", "Problem"},
    {412, "If-Match does not hold.", "Problem"},
};
constexpr DocumentedResponse kPutKeyResponses[] = {
    {201, "Created.", ""},
    {204, "Replaced.", ""},
    {412, "The precondition does not hold; ETag is the current version, absent when there is no key.", "Problem"},
    {413, "The value is larger than the store takes.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kDeleteKeyResponses[] = {
    {204, "The key is gone, whether or not it was there.", ""},
    {412, "If-Match does not hold.", "Problem"},
};
constexpr DocumentedResponse kPostKeyResponses[] = {
    {200, "take: the value, and it is gone. increment: the new number.", "IncrementResult"},
    {204, "touch: the expiry is set.", ""},
    {404, "There is no such store or key.", "Problem"},
    {409, "increment: the value is not a 64-bit decimal integer, or would leave its range.", "Problem"},
    {412, "The precondition does not hold.", "Problem"},
    {413, "The body is larger than this request takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kListResponses[] = {{200, "One page.", "Page"}};
constexpr DocumentedResponse kCountResponses[] = {{200, "How many keys are live.", "Count"}};
constexpr DocumentedResponse kDeleteKeysResponses[] = {{200, "How many keys were deleted.", "Deleted"}};
constexpr DocumentedResponse kBatchResponses[] = {
    {200, "One result per operation, in order, each with a status of its own.", "BatchResults"},
    {413, "The body is larger than the limit.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
};
constexpr DocumentedResponse kTransactionResponses[] = {
    {200, "Which branch ran, and its results.", "TransactionResults"},
    {409, "It collided with other transactions again and again; nothing was changed.", "Problem"},
    {412, "A newer token was issued for the lock of Holdfast-Fence; nothing was changed.", "Problem"},
    {413, "The body is larger than the limit.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The quota of the namespace, or the store, has no room left.", "Problem"},
};
constexpr QueryParameter kInteractiveQuery[] = {
    {"action", kChoice, "What to do with the transaction.", "commit,rollback,savepoint,rollback_to", true},
    {"name", kText, "Of the savepoint; without it rollback_to goes to the newest."},
};
constexpr DocumentedResponse kBeginResponses[] = {
    {201, "It is open until then; send its id as Holdfast-Transaction.", "Begun"},
    {413, "The body is larger than this request takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
};
constexpr DocumentedResponse kInteractiveResponses[] = {
    {200, "commit: all of it took effect.", "CommitResults"},
    {204, "It is rolled back, or the savepoint is set, or all since the savepoint is undone.", ""},
    {404, "There is no such store or open transaction.", "Problem"},
    {409, "commit: it collided with another, nothing was changed, and it is over. rollback_to: no such savepoint.",
     "Problem"},
    {412, "commit: a newer fencing token was issued; nothing was changed.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kHotKeysResponses[] = {{200, "The keys asked for most.", "HotKeys"}};
constexpr DocumentedResponse kConflictsResponses[] = {
    {200, "Writes that were acknowledged on the secondary and are not in the primary.", "Conflicts"},
    {501, "The store has no secondary backend.", "Problem"},
};
constexpr DocumentedResponse kAcquireResponses[] = {
    {201, "It is held by the lease until then.", "Grant"},
    {409, "Somebody else holds it; Retry-After says until when.", "Problem"},
    {413, "The body is larger than this request takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kExtendResponses[] = {
    {200, "It is held until then.", "Grant"},
    {409, "The lease does not hold it any more.", "Problem"},
    {413, "The body is larger than this request takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
};
constexpr DocumentedResponse kHolderResponses[] = {
    {200, "Who holds it.", "Holder"},
    {404, "There is no such store, or nobody holds it.", "Problem"},
};
constexpr DocumentedResponse kReleaseResponses[] = {
    {204, "It is free.", ""},
    {409, "The lease does not hold it any more.", "Problem"},
};
constexpr DocumentedResponse kObserveResponses[] = {
    {200, "The leader, then every change.", "events"},
    {429, "The namespace has too many streams open.", "Problem"},
};
constexpr DocumentedResponse kPublishResponses[] = {
    {202, "How many subscribers of this instance it is on its way to.", "Receivers"},
    {413, "The message is larger than the limit.", "Problem"},
};
constexpr DocumentedResponse kSubscribeResponses[] = {
    {200, "Every message from now on.", "events"},
    {429, "The namespace has too many streams open.", "Problem"},
};
constexpr DocumentedResponse kWatchResponses[] = {
    {200, "Every change; with wait= the first ones.", "events,Changes"},
    {429, "The namespace has too many streams open.", "Problem"},
};
constexpr DocumentedResponse kCollectionsResponses[] = {{200, "One page, by name.", "Collections"}};
constexpr DocumentedResponse kPutCollectionResponses[] = {
    {200, "Its indexes are these; new ones may be building.", "Collection"},
    {201, "Created.", "Collection"},
    {409, "Others changed it again and again; nothing was changed.", "Problem"},
    {412, "Holdfast-Fence is outdated.", "Problem"},
    {413, "The body is larger than this request takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kGetCollectionResponses[] = {
    {200, "Its indexes and how far they are built.", "Collection"},
    {404, "There is no such store or collection.", "Problem"},
};
constexpr DocumentedResponse kDeleteCollectionResponses[] = {
    {204, "It is gone, whether or not it was there.", ""},
    {409, "Others changed it again and again; nothing was changed.", "Problem"},
    {412, "Holdfast-Fence is outdated.", "Problem"},
};
constexpr DocumentedResponse kFindResponses[] = {
    {200, "One page.", "DocumentPage"},
    {404, "There is no such store or collection.", "Problem"},
    {409, "The index of the order is still being built.", "Problem"},
};
constexpr DocumentedResponse kCountDocumentsResponses[] = {
    {200, "How many documents match.", "Count"},
    {404, "There is no such store or collection.", "Problem"},
    {409, "No index answers the filter, and too many documents would have to be looked at.", "Problem"},
};
constexpr DocumentedResponse kGetDocumentResponses[] = {
    {200, "The document; ETag is its version.", "Document"},
    {304, "If-None-Match names the current version.", ""},
    {404, "There is no such store, collection or document.", "Problem"},
    {412, "If-Match does not hold.", "Problem"},
};
constexpr DocumentedResponse kPutDocumentResponses[] = {
    {201, "Created.", ""},
    {204, "Replaced.", ""},
    {404, "There is no such store or collection.", "Problem"},
    {409, "Others wrote it again and again; nothing was changed.", "Problem"},
    {412, "The precondition does not hold; ETag is the current version, absent when there is no document.", "Problem"},
    {413, "The document is larger than the store takes.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kDeleteDocumentResponses[] = {
    {204, "The document is gone, whether or not it was there.", ""},
    {404, "There is no such store or collection.", "Problem"},
    {409, "Others wrote it again and again; nothing was changed.", "Problem"},
    {412, "If-Match does not hold, or Holdfast-Fence is outdated.", "Problem"},
};
constexpr DocumentedResponse kStoresResponses[] = {{200, "Every store.", "Stores"}};
constexpr QueryParameter kPostStoreQuery[] = {
    {"action", kChoice, "What to do.", "compact,flush,vacuum,cleanup,warm", true},
    {"prefix", kText, "warm: of which keys; all of the namespace without it."},
    {"limit", kInteger, "warm: most entries; at most, and without it, the store's warm_entries."},
};
constexpr DocumentedResponse kPostStoreResponses[] = {
    {200, "It is done; what it came to.", "Maintained"},
    {501, "The store keeps no files.", "Problem"},
    {507, "There is no room left on the disk.", "Problem"},
};
constexpr QueryParameter kPostMigrationQuery[] = {
    {"action", kChoice, "What to do.", "start,switch_reads,switch_back,cut_over,abort", true},
};
constexpr DocumentedResponse kGetMigrationResponses[] = {
    {200, "Where the move to another backend stands.", "Migration"},
    {501, "The store has no migrate_to.", "Problem"},
};
constexpr DocumentedResponse kPostMigrationResponses[] = {
    {200, "Every instance has come to it.", "Migration"},
    {409, "Something else has to come first.", "Problem"},
    {501, "The store has no migrate_to.", "Problem"},
};
constexpr std::span<const QueryParameter> kNoQuery;
constexpr QueryParameter kPostCheckpointQuery[] = {
    {"action", kChoice, "validate: read all of it. restore: make the store what it holds.", "validate,restore", true},
};
constexpr DocumentedResponse kListCheckpointsResponses[] = {{200, "All of them, the newest last.", "Checkpoints"}};
constexpr DocumentedResponse kCreateCheckpointResponses[] = {
    {201, "It is there and survives a crash.", "Checkpoint"},
    {412, "There is one of that id.", "Problem"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The disk is full; nothing is left of it.", "Problem"},
};
constexpr DocumentedResponse kGetCheckpointResponses[] = {
    {200, "What it is.", "Checkpoint"},
    {404, "There is no such store or checkpoint.", "Problem"},
};
constexpr DocumentedResponse kDeleteCheckpointResponses[] = {
    {204, "It is gone.", ""},
    {404, "There is no such store or checkpoint.", "Problem"},
    {409, "It belongs to a restore that is not finished.", "Problem"},
};
constexpr DocumentedResponse kPostCheckpointResponses[] = {
    {200, "It is sound, or restored; undo is the checkpoint taken just before.", "CheckpointOutcome"},
    {404, "There is no such store or checkpoint.", "Problem"},
    {422, "It is damaged; nothing was changed.", "Problem"},
    {507, "The disk or the backend has no room left.", "Problem"},
};
constexpr QueryParameter kToTime = {
    "to_time", kText,
    "Of restore: a time (RFC 3339), of a store with change_archive. Everything acknowledged up to then is there, and "
    "nothing that was asked for later; the time is that of the service's clock, in microseconds.",
    ""};
constexpr QueryParameter kSource = {
    "source", kText,
    "The name that a store has in another deployment, whose backups lie where backups.source says: they are meant "
    "instead of the store's own, and only read. Of lists, verify and restore; 404 where there are none.",
    ""};
constexpr QueryParameter kReadBackupsQuery[] = {kSource};
constexpr QueryParameter kPostBackupsQuery[] = {
    {"action", kChoice,
     "create: the default. prune: remove what retention does not keep. restore: make the store what it was at "
     "`to_time`, by the newest backup of before and the changes since.",
     "create,prune,restore"},
    kToTime,
    kSource,
    {"kind", kChoice,
     "Of create. full: the default. incremental: what has changed since the newest verified backup, which it builds "
     "on; "
     "a full one where there is none, and `note` of the run says why.",
     "full,incremental"},
};
constexpr QueryParameter kPostBackupQuery[] = {
    {"action", kChoice,
     "verify: read all of it. drill: restore it into a scratch store, and compare. restore: make the store what it "
     "holds.",
     "verify,drill,restore", true},
    kToTime,
    kSource,
};
constexpr DocumentedResponse kListBackupsResponses[] = {{200, "All of them, the newest last.", "Backups"}};
constexpr DocumentedResponse kPostBackupsResponses[] = {
    {202, "It waits for its turn; GET backup-runs says how far it is.", "BackupRun"},
    {415, "The Content-Type is not JSON.", "Problem"},
};
constexpr DocumentedResponse kGetBackupResponses[] = {
    {200, "What it is.", "Backup"},
    {404, "There is no such store or backup.", "Problem"},
};
constexpr DocumentedResponse kDeleteBackupResponses[] = {
    {204, "It is gone.", ""},
    {404, "There is no such store or backup.", "Problem"},
    {409, "A run that has not ended needs it.", "Problem"},
};
constexpr DocumentedResponse kPostBackupResponses[] = {
    {202, "It waits for its turn; GET backup-runs says how far it is.", "BackupRun"},
    {404, "There is no such store or backup.", "Problem"},
};
constexpr DocumentedResponse kGetBackupRunResponses[] = {
    {200, "How far it is, and what came of it.", "BackupRun"},
    {404, "There is no such store, or this process knows of no such run.", "Problem"},
};
constexpr DocumentedResponse kGetSnapshotResponses[] = {
    {200, "The store in the format of a checkpoint; what does not end with its footer is not whole.", "bytes"},
};
constexpr DocumentedResponse kPutSnapshotResponses[] = {
    {200, "The store holds what was sent; undo is the checkpoint taken just before.", "CheckpointOutcome"},
    {422, "What was sent is damaged, or no checkpoint; nothing was changed.", "Problem"},
    {507, "The disk or the backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kStoreResponses[] = {{200, "What the store is and how it does.", "Store"}};
constexpr DocumentedResponse kGetNamespaceResponses[] = {{200, "Its quota and what it uses.", "Namespace"}};
constexpr DocumentedResponse kPutNamespaceResponses[] = {
    {200, "The quota is replaced.", "Namespace"},
    {201, "It has its first quota.", "Namespace"},
    {415, "The Content-Type is not JSON.", "Problem"},
    {507, "The backend has no room left.", "Problem"},
};
constexpr DocumentedResponse kDeleteNamespaceResponses[] = {{204, "It has no quota; its data stays.", ""}};
constexpr DocumentedResponse kAuditResponses[] = {{200, "One page, oldest first.", "AuditPage"}};
constexpr DocumentedResponse kOpenApiResponses[] = {{200, "This document.", "OpenApi"}};

}  // namespace holdfast::api
