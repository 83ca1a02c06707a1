// A Client over a map, for what is above HTTP: leases, events, controllers. Versions rise by one per write; a failure
// can be put in front of, or behind, the next calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "operator/kube/client.h"

namespace holdfast::kube {

class MemoryClient : public Client {
 public:
  // Called before each operation ("get", "create", ...); an error is the operation's answer.
  using Before = std::function<Status(const std::string& verb, const ObjectKey& key)>;

  void SetBefore(Before before) {
    const std::lock_guard lock(mutex_);
    before_ = std::move(before);
  }
  // The next write is carried out and its answer lost.
  void LoseNextAnswer() {
    const std::lock_guard lock(mutex_);
    lose_answer_ = true;
  }
  int Calls(const std::string& verb) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(verb);
    return found == calls_.end() ? 0 : found->second;
  }
  // As somebody else would, without the hooks.
  void Put(Json object) {
    const std::lock_guard lock(mutex_);
    const bool existed = objects_.contains(KeyOf(object));
    Store(std::move(object), existed ? WatchEventType::kModified : WatchEventType::kAdded);
  }
  Json Peek(const ObjectKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    return found == objects_.end() ? Json() : found->second;
  }
  std::vector<Json> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<Json> all;
    for (const auto& [key, object] : objects_) all.push_back(object);
    return all;
  }

  Result<Json> Get(const ResourceKind&, const ObjectKey& key, Deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("get", key));
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Error(ErrorCode::kNotFound, "not found");
    return found->second;
  }
  Result<ObjectList> List(const ResourceKind& kind, const std::string&, const ListOptions&, Deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("list", {}));
    const std::lock_guard lock(mutex_);
    ObjectList list;
    for (const auto& [key, object] : objects_) {
      if (object.value("kind", "") == kind.kind) list.items.push_back(object);
    }
    list.resource_version = std::to_string(version_);
    return list;
  }
  Status Watch(const ResourceKind& kind, const std::string&, const WatchOptions& options, std::stop_token stop,
               const std::function<bool(WatchEvent)>& on_event) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("watch", {}));
    std::size_t next = std::stoul(options.resource_version);
    for (;;) {
      WatchEvent event;
      {
        std::unique_lock lock(mutex_);
        if (!written_.wait(lock, stop, [&] { return log_.size() > next; })) {
          return Error(ErrorCode::kCancelled, "stopped");
        }
        event = log_[next++];
      }
      if (event.object.value("kind", "") == kind.kind && !on_event(event)) return {};
    }
  }
  Result<Json> Create(const ResourceKind&, const Json& object, Deadline) override {
    const ObjectKey key = KeyOf(object);
    HOLDFAST_RETURN_IF_ERROR(Enter("create", key));
    const std::lock_guard lock(mutex_);
    if (objects_.contains(key)) return Error(ErrorCode::kAlreadyExists, "already exists");
    return Answer(Store(object, WatchEventType::kAdded));
  }
  Result<Json> Update(const ResourceKind&, const Json& object, Deadline) override {
    const ObjectKey key = KeyOf(object);
    HOLDFAST_RETURN_IF_ERROR(Enter("update", key));
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Error(ErrorCode::kNotFound, "not found");
    const std::string version = ResourceVersionOf(object);
    if (!version.empty() && version != ResourceVersionOf(found->second)) {
      return Error(ErrorCode::kVersionConflict, "conflict");
    }
    return Answer(Store(object, WatchEventType::kModified));
  }
  Result<Json> UpdateStatus(const ResourceKind& kind, const Json& object, Deadline deadline) override {
    return Update(kind, object, deadline);
  }
  Result<Json> Apply(const ResourceKind&, const Json& object, const ApplyOptions&, Deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("apply", KeyOf(object)));
    const std::lock_guard lock(mutex_);
    const bool existed = objects_.contains(KeyOf(object));
    return Answer(Store(object, existed ? WatchEventType::kModified : WatchEventType::kAdded));
  }
  Result<Json> MergePatch(const ResourceKind&, const ObjectKey& key, const Json& patch, Deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("patch", key));
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Error(ErrorCode::kNotFound, "not found");
    Json object = found->second;
    object.merge_patch(patch);
    return Answer(Store(std::move(object), WatchEventType::kModified));
  }
  Status Delete(const ResourceKind&, const ObjectKey& key, const DeletePreconditions&, Deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Enter("delete", key));
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Error(ErrorCode::kNotFound, "not found");
    ++version_;
    log_.push_back({WatchEventType::kDeleted, found->second});
    objects_.erase(found);
    written_.notify_all();
    return {};
  }

 private:
  Status Enter(const std::string& verb, const ObjectKey& key) {
    Before before;
    {
      const std::lock_guard lock(mutex_);
      ++calls_[verb];
      before = before_;
    }
    return before ? before(verb, key) : Status::Ok();
  }
  // Requires mutex_.
  Json Store(Json object, WatchEventType type) {
    const ObjectKey key = KeyOf(object);
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    if (UidOf(object).empty()) object["metadata"]["uid"] = "uid-" + std::to_string(version_);
    objects_[key] = object;
    log_.push_back({type, object});
    written_.notify_all();
    return object;
  }
  // Requires mutex_.
  Result<Json> Answer(Json object) {
    if (std::exchange(lose_answer_, false)) return Error(ErrorCode::kOutcomeUnknown, "the answer was lost");
    return object;
  }

  mutable std::mutex mutex_;
  std::condition_variable_any written_;
  std::map<ObjectKey, Json> objects_;
  std::deque<WatchEvent> log_;  // version n is log_[n - 1]
  std::size_t version_ = 0;
  std::map<std::string, int> calls_;
  Before before_;
  bool lose_answer_ = false;
};

}  // namespace holdfast::kube
