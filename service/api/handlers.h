// What the rows of the route table point to. Each answers its exchange exactly once, now or later.
#pragma once

#include "service/api/exchange.h"

namespace holdfast::api {

// key_handlers.cc
void GetKey(ExchangePtr exchange);
void PutKey(ExchangePtr exchange);
void DeleteKey(ExchangePtr exchange);
// key_action_handlers.cc
void PostKey(ExchangePtr exchange);
void PostStore(ExchangePtr exchange);
// migration_handlers.cc
void GetMigration(ExchangePtr exchange);
void PostMigration(ExchangePtr exchange);
// checkpoint_handlers.cc
void ListCheckpoints(ExchangePtr exchange);
void CreateCheckpoint(ExchangePtr exchange);
void GetCheckpoint(ExchangePtr exchange);
void DeleteCheckpoint(ExchangePtr exchange);
void PostCheckpoint(ExchangePtr exchange);
// backup_handlers.cc
void ListBackups(ExchangePtr exchange);
void PostBackups(ExchangePtr exchange);
void GetBackup(ExchangePtr exchange);
void DeleteBackup(ExchangePtr exchange);
void PostBackup(ExchangePtr exchange);
void GetBackupRun(ExchangePtr exchange);
void GetSnapshot(ExchangePtr exchange);
void PutSnapshot(ExchangePtr exchange);
// list_handlers.cc
void ListKeys(ExchangePtr exchange);
void CountKeys(ExchangePtr exchange);
void DeleteKeys(ExchangePtr exchange);
// batch_handler.cc
void PostBatch(ExchangePtr exchange);
// transaction_handlers.cc
void PostTransaction(ExchangePtr exchange);
// interactive_handlers.cc
void BeginTransaction(ExchangePtr exchange);
void PostInteractive(ExchangePtr exchange);
// conflict_handlers.cc
void GetConflicts(ExchangePtr exchange);
// hot_key_handlers.cc
void GetHotKeys(ExchangePtr exchange);
// lock_handlers.cc
void PostLock(ExchangePtr exchange);
void PutLock(ExchangePtr exchange);
void GetLock(ExchangePtr exchange);
void DeleteLock(ExchangePtr exchange);
// election_handlers.cc
void PostElection(ExchangePtr exchange);
void PutElection(ExchangePtr exchange);
void GetElection(ExchangePtr exchange);
void DeleteElection(ExchangePtr exchange);
// channel_handlers.cc
void PostChannel(ExchangePtr exchange);
void GetChannel(ExchangePtr exchange);
// watch_handler.cc
void GetWatch(ExchangePtr exchange);
// collection_handlers.cc
void ListCollections(ExchangePtr exchange);
void PutCollection(ExchangePtr exchange);
void GetCollection(ExchangePtr exchange);
void DeleteCollection(ExchangePtr exchange);
// document_handlers.cc
void FindDocuments(ExchangePtr exchange);
void CountDocuments(ExchangePtr exchange);
void GetDocument(ExchangePtr exchange);
void PutDocument(ExchangePtr exchange);
void DeleteDocument(ExchangePtr exchange);
// namespace_handlers.cc
void GetNamespace(ExchangePtr exchange);
void PutNamespace(ExchangePtr exchange);
void DeleteNamespace(ExchangePtr exchange);
// audit_handlers.cc
void GetAudit(ExchangePtr exchange);
// store_handlers.cc
void ListStores(ExchangePtr exchange);
void GetStore(ExchangePtr exchange);
void GetOpenApi(ExchangePtr exchange);

}  // namespace holdfast::api
