// Requests for objects: verb by verb from HTTP to the object service and back.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

#include "operator/local/api_server/object_lister.h"
#include "operator/local/api_server/object_service.h"
#include "operator/local/api_server/request.h"
#include "operator/local/api_server/write_counter.h"

namespace holdfast::local {

void SendError(const ApiError& error, http::ResponseWriter& writer);

struct WatchSettings {
  std::chrono::milliseconds bookmark_interval;
  std::chrono::milliseconds default_timeout;
};

class ResourceHandler {
 public:
  ResourceHandler(ObjectStore& store, const ResourceRegistry& registry, ObjectService& service, WriteCounter& writes,
                  const Clock& clock, WatchSettings watch)
      : store_(store), registry_(registry), service_(service), writes_(writes), lister_(store, clock), watch_(watch) {}

  void Serve(const http::ServerRequest& request, const Query& query, const ObjectPath& path,
             http::ResponseWriter& writer);
  // Ends the watches; later ones end at once.
  void Stop() { stopping_ = true; }
  void SetPodLogs(ApiServer::PodLogs logs);

 private:
  struct Exchange {
    const http::ServerRequest& request;
    const Query& query;
    const ObjectPath& path;
    http::ResponseWriter& writer;
    Presentation presentation;
    kube::ObjectKey key() const { return {path.ns, path.name}; }
  };
  void Get(const Exchange& exchange);
  void List(const Exchange& exchange);
  void Watch(const Exchange& exchange);
  void Create(const Exchange& exchange);
  void Update(const Exchange& exchange);
  void Patch(const Exchange& exchange);
  void Delete(const Exchange& exchange);
  void DeleteCollection(const Exchange& exchange);
  void Scale(const Exchange& exchange);
  void PodLog(const Exchange& exchange);
  void Bind(const Exchange& exchange);
  // Counts the write and answers with the object, or with why not.
  void Finish(const Exchange& exchange, const char* verb, const Answer<WriteResult>& result);

  ObjectStore& store_;
  const ResourceRegistry& registry_;
  ObjectService& service_;
  WriteCounter& writes_;
  ObjectLister lister_;
  const WatchSettings watch_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  ApiServer::PodLogs pod_logs_;  // guarded by mutex_
};

}  // namespace holdfast::local
