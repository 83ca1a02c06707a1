#include "service/api/route_table.h"

#include <algorithm>
#include <array>

#include "service/api/handlers.h"
#include "service/api/route_documentation.h"

namespace holdfast::api {
namespace {

using tenancy::Access;
using tenancy::Verb;

constexpr std::string_view kStoresPath = "/v1/stores";

constexpr std::string_view kKeyPattern = "/v1/stores/{store}/keys/{key}";
constexpr std::string_view kKeysPattern = "/v1/stores/{store}/keys";
constexpr std::string_view kCountPattern = "/v1/stores/{store}/count";
constexpr std::string_view kBatchPattern = "/v1/stores/{store}/batch";
constexpr std::string_view kTransactionPattern = "/v1/stores/{store}/transaction";
constexpr std::string_view kTransactionsPattern = "/v1/stores/{store}/transactions";
constexpr std::string_view kInteractivePattern = "/v1/stores/{store}/transactions/{id}";
constexpr std::string_view kConflictsPattern = "/v1/stores/{store}/conflicts";
constexpr std::string_view kHotKeysPattern = "/v1/stores/{store}/hot-keys";
constexpr std::string_view kLockPattern = "/v1/stores/{store}/locks/{name}";
constexpr std::string_view kElectionPattern = "/v1/stores/{store}/elections/{name}";
constexpr std::string_view kChannelPattern = "/v1/stores/{store}/channels/{name}";
constexpr std::string_view kWatchPattern = "/v1/stores/{store}/watch";
constexpr std::string_view kCollectionsPattern = "/v1/stores/{store}/collections";
constexpr std::string_view kCollectionPattern = "/v1/stores/{store}/collections/{collection}";
constexpr std::string_view kDocumentsPattern = "/v1/stores/{store}/collections/{collection}/documents";
constexpr std::string_view kDocumentCountPattern = "/v1/stores/{store}/collections/{collection}/count";
constexpr std::string_view kDocumentPattern = "/v1/stores/{store}/collections/{collection}/documents/{id}";
constexpr std::string_view kMigrationPattern = "/v1/stores/{store}/migration";
constexpr std::string_view kCheckpointsPattern = "/v1/stores/{store}/checkpoints";
constexpr std::string_view kCheckpointPattern = "/v1/stores/{store}/checkpoints/{id}";
constexpr std::string_view kBackupsPattern = "/v1/stores/{store}/backups";
constexpr std::string_view kBackupPattern = "/v1/stores/{store}/backups/{id}";
constexpr std::string_view kBackupRunPattern = "/v1/stores/{store}/backup-runs/{run}";
constexpr std::string_view kSnapshotPattern = "/v1/stores/{store}/snapshot";
constexpr std::string_view kStorePattern = "/v1/stores/{store}";
constexpr std::string_view kNamespacePattern = "/v1/namespaces/{namespace}";
constexpr std::string_view kAuditPath = "/v1/audit";
constexpr std::string_view kOpenApiPath = "/v1/openapi.json";

// The endpoints of a route stand together.
constexpr std::array kEndpoints = {
    Endpoint{kKeyPattern, Method::kGet, Verb::kRead, "getKey", "Read a key", GetKey,
             kIfMatch | kIfNoneMatch | kRange | kTransaction, BodyKind::kNone, kGetKeyQuery, kGetKeyResponses},
    Endpoint{kKeyPattern, Method::kHead, Verb::kRead, "headKey", "Read a key without its value", GetKey,
             kIfMatch | kIfNoneMatch | kTransaction, BodyKind::kNone, kGetKeyQuery, kHeadKeyResponses},
    Endpoint{kKeyPattern,
             Method::kPut,
             Verb::kWrite,
             "putKey",
             "Write a key",
             PutKey,
             kIfMatch | kIfNoneMatch | kTtl | kMetadata | kTags | kFence | kTransaction,
             BodyKind::kValue,
             {},
             kPutKeyResponses},
    Endpoint{kKeyPattern, Method::kPost, Access::Each(), "postKey", "Take, touch or increment a key", PostKey,
             kIfMatch | kIfNoneMatch | kTtl | kFence | kTransaction | kIdempotencyKey, BodyKind::kIncrement,
             kPostKeyQuery, kPostKeyResponses},
    Endpoint{kKeyPattern,
             Method::kDelete,
             Verb::kDelete,
             "deleteKey",
             "Delete a key",
             DeleteKey,
             kIfMatch | kFence | kTransaction,
             BodyKind::kNone,
             {},
             kDeleteKeyResponses},
    Endpoint{kKeysPattern, Method::kGet, Verb::kList, "listKeys", "List keys in byte order", ListKeys, kNoHeaders,
             BodyKind::kNone, kListQuery, kListResponses, true},
    Endpoint{kKeysPattern, Method::kDelete, Verb::kDelete, "deleteKeys", "Delete every key with a prefix", DeleteKeys,
             kNoHeaders, BodyKind::kNone, kDeleteKeysQuery, kDeleteKeysResponses},
    Endpoint{kCountPattern, Method::kGet, Verb::kList, "countKeys", "Count keys", CountKeys, kNoHeaders,
             BodyKind::kNone, kCountQuery, kCountResponses},
    Endpoint{kBatchPattern,
             Method::kPost,
             Access::Each(),
             "batch",
             "Many operations, each on its own",
             PostBatch,
             kFence | kIdempotencyKey,
             BodyKind::kBatch,
             {},
             kBatchResponses},
    Endpoint{kTransactionPattern,
             Method::kPost,
             Access::Each(),
             "transaction",
             "Conditions and operations, all or nothing",
             PostTransaction,
             kFence | kIdempotencyKey,
             BodyKind::kTransaction,
             {},
             kTransactionResponses},
    Endpoint{kTransactionsPattern,
             Method::kPost,
             Access::Each(),
             "beginTransaction",
             "Begin an interactive transaction",
             BeginTransaction,
             kIdempotencyKey,
             BodyKind::kBegin,
             {},
             kBeginResponses},
    Endpoint{kInteractivePattern, Method::kPost, Access::Each(), "endTransaction",
             "Commit an interactive transaction, roll it back, or set a savepoint", PostInteractive, kIdempotencyKey,
             BodyKind::kNone, kInteractiveQuery, kInteractiveResponses},
    Endpoint{kHotKeysPattern, Method::kGet, Verb::kList, "getHotKeys", "The keys asked for most in the last minutes",
             GetHotKeys, kNoHeaders, BodyKind::kNone, kHotKeysQuery, kHotKeysResponses},
    Endpoint{kConflictsPattern, Method::kGet, Verb::kList, "getConflicts",
             "Writes to the secondary backend that the primary did not take", GetConflicts, kNoHeaders, BodyKind::kNone,
             kConflictsQuery, kConflictsResponses},
    Endpoint{kLockPattern,
             Method::kPost,
             Verb::kLock,
             "acquireLock",
             "Acquire a lock",
             PostLock,
             kIdempotencyKey,
             BodyKind::kLease,
             {},
             kAcquireResponses},
    Endpoint{kLockPattern,
             Method::kPut,
             Verb::kLock,
             "extendLock",
             "Extend the lease of a lock",
             PutLock,
             kNoHeaders,
             BodyKind::kLeaseExtension,
             {},
             kExtendResponses},
    Endpoint{kLockPattern,
             Method::kGet,
             Verb::kLock,
             "getLock",
             "Who holds a lock",
             GetLock,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kHolderResponses},
    Endpoint{kLockPattern, Method::kDelete, Verb::kLock, "releaseLock", "Release a lock", DeleteLock, kNoHeaders,
             BodyKind::kNone, kReleaseQuery, kReleaseResponses},
    Endpoint{kElectionPattern,
             Method::kPost,
             Verb::kLock,
             "campaign",
             "Become the leader",
             PostElection,
             kIdempotencyKey,
             BodyKind::kLease,
             {},
             kAcquireResponses},
    Endpoint{kElectionPattern,
             Method::kPut,
             Verb::kLock,
             "extendLeadership",
             "Stay the leader",
             PutElection,
             kNoHeaders,
             BodyKind::kLeaseExtension,
             {},
             kExtendResponses},
    Endpoint{kElectionPattern,
             Method::kGet,
             Verb::kLock,
             "observeElection",
             "Observe the leader",
             GetElection,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kObserveResponses},
    Endpoint{kElectionPattern, Method::kDelete, Verb::kLock, "resign", "Be the leader no more", DeleteElection,
             kNoHeaders, BodyKind::kNone, kReleaseQuery, kReleaseResponses},
    Endpoint{kChannelPattern,
             Method::kPost,
             Verb::kPublish,
             "publish",
             "Publish a message",
             PostChannel,
             kIdempotencyKey,
             BodyKind::kMessage,
             {},
             kPublishResponses},
    Endpoint{kChannelPattern, Method::kGet, Verb::kWatch, "subscribe",
             "Subscribe to a channel, or to a glob over channels", GetChannel, kNoHeaders, BodyKind::kNone,
             kChannelQuery, kSubscribeResponses},
    Endpoint{kWatchPattern, Method::kGet, Verb::kWatch, "watch", "Watch keys change", GetWatch, kNoHeaders,
             BodyKind::kNone, kWatchQuery, kWatchResponses},
    Endpoint{kCollectionsPattern, Method::kGet, Verb::kList, "listCollections", "Every collection", ListCollections,
             kNoHeaders, BodyKind::kNone, kCollectionsQuery, kCollectionsResponses},
    Endpoint{kCollectionPattern,
             Method::kPut,
             Verb::kAdmin,
             "putCollection",
             "Create a collection, or change its indexes",
             PutCollection,
             kFence,
             BodyKind::kCollection,
             {},
             kPutCollectionResponses},
    Endpoint{kCollectionPattern,
             Method::kGet,
             Verb::kList,
             "getCollection",
             "One collection",
             GetCollection,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kGetCollectionResponses},
    Endpoint{kCollectionPattern,
             Method::kDelete,
             Verb::kAdmin,
             "deleteCollection",
             "Delete a collection and its documents",
             DeleteCollection,
             kFence,
             BodyKind::kNone,
             {},
             kDeleteCollectionResponses},
    Endpoint{kDocumentsPattern, Method::kGet, Access::Both(Verb::kList, Verb::kRead), "findDocuments", "Find documents",
             FindDocuments, kNoHeaders, BodyKind::kNone, kFindQuery, kFindResponses},
    Endpoint{kDocumentCountPattern, Method::kGet, Verb::kList, "countDocuments", "Count documents", CountDocuments,
             kNoHeaders, BodyKind::kNone, kCountDocumentsQuery, kCountDocumentsResponses},
    Endpoint{kDocumentPattern,
             Method::kGet,
             Verb::kRead,
             "getDocument",
             "Read a document",
             GetDocument,
             kIfMatch | kIfNoneMatch,
             BodyKind::kNone,
             {},
             kGetDocumentResponses},
    Endpoint{kDocumentPattern,
             Method::kPut,
             Verb::kWrite,
             "putDocument",
             "Write a document",
             PutDocument,
             kIfMatch | kIfNoneMatch | kTtl | kFence,
             BodyKind::kDocument,
             {},
             kPutDocumentResponses},
    Endpoint{kDocumentPattern,
             Method::kDelete,
             Verb::kDelete,
             "deleteDocument",
             "Delete a document",
             DeleteDocument,
             kIfMatch | kFence,
             BodyKind::kNone,
             {},
             kDeleteDocumentResponses},
    Endpoint{kMigrationPattern,
             Method::kGet,
             Verb::kAdmin,
             "getMigration",
             "Where the move of a store to another backend stands",
             GetMigration,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kGetMigrationResponses},
    Endpoint{kMigrationPattern, Method::kPost, Verb::kAdmin, "postMigration", "Move a store to another backend",
             PostMigration, kIdempotencyKey, BodyKind::kNone, kPostMigrationQuery, kPostMigrationResponses},
    Endpoint{kCheckpointsPattern, Method::kGet, Verb::kAdmin, "listCheckpoints", "The checkpoints of a store",
             ListCheckpoints, kNoHeaders, BodyKind::kNone, kNoQuery, kListCheckpointsResponses},
    Endpoint{kCheckpointsPattern, Method::kPost, Verb::kAdmin, "createCheckpoint", "Take a checkpoint of a store",
             CreateCheckpoint, kIdempotencyKey, BodyKind::kNewId, kNoQuery, kCreateCheckpointResponses},
    Endpoint{kCheckpointPattern, Method::kGet, Verb::kAdmin, "getCheckpoint", "One checkpoint", GetCheckpoint,
             kNoHeaders, BodyKind::kNone, kNoQuery, kGetCheckpointResponses},
    Endpoint{kCheckpointPattern, Method::kDelete, Verb::kAdmin, "deleteCheckpoint", "Remove a checkpoint",
             DeleteCheckpoint, kNoHeaders, BodyKind::kNone, kNoQuery, kDeleteCheckpointResponses},
    Endpoint{kCheckpointPattern, Method::kPost, Verb::kAdmin, "postCheckpoint", "Validate or restore a checkpoint",
             PostCheckpoint, kIdempotencyKey, BodyKind::kNone, kPostCheckpointQuery, kPostCheckpointResponses},
    Endpoint{kBackupsPattern, Method::kGet, Verb::kAdmin, "listBackups", "The backups of a store", ListBackups,
             kNoHeaders, BodyKind::kNone, kReadBackupsQuery, kListBackupsResponses},
    Endpoint{kBackupsPattern, Method::kPost, Verb::kAdmin, "postBackups",
             "Make a backup of a store, or remove old ones", PostBackups, kIdempotencyKey, BodyKind::kNewId,
             kPostBackupsQuery, kPostBackupsResponses},
    Endpoint{kBackupPattern, Method::kGet, Verb::kAdmin, "getBackup", "One backup", GetBackup, kNoHeaders,
             BodyKind::kNone, kReadBackupsQuery, kGetBackupResponses},
    Endpoint{kBackupPattern, Method::kDelete, Verb::kAdmin, "deleteBackup", "Remove a backup", DeleteBackup, kNoHeaders,
             BodyKind::kNone, kNoQuery, kDeleteBackupResponses},
    Endpoint{kBackupPattern, Method::kPost, Verb::kAdmin, "postBackup", "Verify, try or restore a backup", PostBackup,
             kIdempotencyKey, BodyKind::kNone, kPostBackupQuery, kPostBackupResponses},
    Endpoint{kBackupRunPattern, Method::kGet, Verb::kAdmin, "getBackupRun", "How far a run is", GetBackupRun,
             kNoHeaders, BodyKind::kNone, kNoQuery, kGetBackupRunResponses},
    Endpoint{kSnapshotPattern, Method::kGet, Verb::kAdmin, "getSnapshot", "All of a store as a checkpoint", GetSnapshot,
             kNoHeaders, BodyKind::kNone, kNoQuery, kGetSnapshotResponses},
    Endpoint{kSnapshotPattern, Method::kPut, Verb::kAdmin, "putSnapshot", "Make a store what a checkpoint holds",
             PutSnapshot, kNoHeaders, BodyKind::kCheckpoint, kNoQuery, kPutSnapshotResponses},
    Endpoint{kStorePattern,
             Method::kGet,
             Verb::kList,
             "getStore",
             "One store",
             GetStore,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kStoreResponses},
    Endpoint{kStorePattern, Method::kPost, Verb::kAdmin, "postStore", "Compact or flush a store's files", PostStore,
             kIdempotencyKey, BodyKind::kNone, kPostStoreQuery, kPostStoreResponses},
    Endpoint{kStoresPath,
             Method::kGet,
             Access::Anybody(),
             "listStores",
             "Every store",
             ListStores,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kStoresResponses},
    Endpoint{kNamespacePattern,
             Method::kGet,
             Verb::kList,
             "getNamespace",
             "The quota and usage of a namespace",
             GetNamespace,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kGetNamespaceResponses},
    Endpoint{kNamespacePattern,
             Method::kPut,
             Verb::kAdmin,
             "putNamespace",
             "Set the quota of a namespace",
             PutNamespace,
             kNoHeaders,
             BodyKind::kQuota,
             {},
             kPutNamespaceResponses},
    Endpoint{kNamespacePattern,
             Method::kDelete,
             Verb::kAdmin,
             "deleteNamespace",
             "Take the quota off a namespace",
             DeleteNamespace,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kDeleteNamespaceResponses},
    Endpoint{kAuditPath, Method::kGet, Verb::kAdmin, "getAudit", "Who changed what in the namespace", GetAudit,
             kNoHeaders, BodyKind::kNone, kAuditQuery, kAuditResponses},
    Endpoint{kOpenApiPath,
             Method::kGet,
             Access::Anybody(),
             "getOpenApi",
             "This document",
             GetOpenApi,
             kNoHeaders,
             BodyKind::kNone,
             {},
             kOpenApiResponses},
};

constexpr std::span<const Endpoint> EndpointsOf(std::string_view pattern) {
  std::size_t first = 0;
  while (kEndpoints[first].pattern != pattern) ++first;
  std::size_t last = first;
  while (last < kEndpoints.size() && kEndpoints[last].pattern == pattern) ++last;
  return std::span(kEndpoints).subspan(first, last - first);
}

// In the order of how often they are asked for.
constexpr std::array kRoutes = {
    Route{RouteKind::kKey, kKeyPattern, "/keys/", "GET, HEAD, PUT, POST, DELETE", EndpointsOf(kKeyPattern)},
    Route{RouteKind::kStore, kKeysPattern, "/keys", "GET, DELETE", EndpointsOf(kKeysPattern)},
    Route{RouteKind::kStore, kBatchPattern, "/batch", "POST", EndpointsOf(kBatchPattern)},
    Route{RouteKind::kStore, kCountPattern, "/count", "GET", EndpointsOf(kCountPattern)},
    Route{RouteKind::kStore, kTransactionPattern, "/transaction", "POST", EndpointsOf(kTransactionPattern)},
    Route{RouteKind::kStore, kTransactionsPattern, "/transactions", "POST", EndpointsOf(kTransactionsPattern)},
    Route{RouteKind::kName, kInteractivePattern, "/transactions/", "POST", EndpointsOf(kInteractivePattern)},
    Route{RouteKind::kStore, kHotKeysPattern, "/hot-keys", "GET", EndpointsOf(kHotKeysPattern)},
    Route{RouteKind::kStore, kConflictsPattern, "/conflicts", "GET", EndpointsOf(kConflictsPattern)},
    Route{RouteKind::kName, kLockPattern, "/locks/", "POST, PUT, GET, DELETE", EndpointsOf(kLockPattern)},
    Route{RouteKind::kName, kElectionPattern, "/elections/", "POST, PUT, GET, DELETE", EndpointsOf(kElectionPattern)},
    Route{RouteKind::kName, kChannelPattern, "/channels/", "POST, GET", EndpointsOf(kChannelPattern)},
    Route{RouteKind::kStore, kWatchPattern, "/watch", "GET", EndpointsOf(kWatchPattern)},
    Route{RouteKind::kDocument, kDocumentPattern, "/collections/", "GET, PUT, DELETE", EndpointsOf(kDocumentPattern),
          "/documents/"},
    Route{RouteKind::kCollection, kDocumentsPattern, "/collections/", "GET", EndpointsOf(kDocumentsPattern),
          "/documents"},
    Route{RouteKind::kCollection, kDocumentCountPattern, "/collections/", "GET", EndpointsOf(kDocumentCountPattern),
          "/count"},
    Route{RouteKind::kCollection, kCollectionPattern, "/collections/", "PUT, GET, DELETE",
          EndpointsOf(kCollectionPattern)},
    Route{RouteKind::kStore, kCollectionsPattern, "/collections", "GET", EndpointsOf(kCollectionsPattern)},
    Route{RouteKind::kStore, kMigrationPattern, "/migration", "GET, POST", EndpointsOf(kMigrationPattern)},
    Route{RouteKind::kName, kCheckpointPattern, "/checkpoints/", "GET, DELETE, POST", EndpointsOf(kCheckpointPattern)},
    Route{RouteKind::kStore, kCheckpointsPattern, "/checkpoints", "GET, POST", EndpointsOf(kCheckpointsPattern)},
    Route{RouteKind::kName, kBackupPattern, "/backups/", "GET, DELETE, POST", EndpointsOf(kBackupPattern)},
    Route{RouteKind::kStore, kBackupsPattern, "/backups", "GET, POST", EndpointsOf(kBackupsPattern)},
    Route{RouteKind::kName, kBackupRunPattern, "/backup-runs/", "GET", EndpointsOf(kBackupRunPattern)},
    Route{RouteKind::kStore, kSnapshotPattern, "/snapshot", "GET, PUT", EndpointsOf(kSnapshotPattern)},
    Route{RouteKind::kStore, kStorePattern, "", "GET, POST", EndpointsOf(kStorePattern)},
    Route{RouteKind::kFixed, kStoresPath, "", "GET", EndpointsOf(kStoresPath)},
    Route{RouteKind::kNamespace, kNamespacePattern, "/v1/namespaces/", "GET, PUT, DELETE",
          EndpointsOf(kNamespacePattern)},
    Route{RouteKind::kFixed, kAuditPath, "", "GET", EndpointsOf(kAuditPath)},
    Route{RouteKind::kFixed, kOpenApiPath, "", "GET", EndpointsOf(kOpenApiPath)},
};

}  // namespace

bool Endpoint::AnswersJson() const {
  if (pattern == kKeyPattern || (pattern == kSnapshotPattern && method == Method::kGet)) return false;
  const bool events = std::any_of(responses.begin(), responses.end(),
                                  [](const DocumentedResponse& row) { return row.schema.starts_with("events"); });
  return !events;
}

const Endpoint* Route::Find(Method method) const {
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.method == method) return &endpoint;
  }
  return nullptr;
}

std::span<const Route> Routes() {
  return kRoutes;
}

std::span<const Endpoint> Endpoints() {
  return kEndpoints;
}

std::size_t IndexOf(const Endpoint& endpoint) {
  return static_cast<std::size_t>(&endpoint - kEndpoints.data());
}

}  // namespace holdfast::api
