// A body that is read page by page on the store's pool as fast as the client takes it: at most one page waits.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/result/result.h"
#include "service/http/http_message.h"
#include "service/storage/store.h"
#include "service/tracing/context.h"

namespace holdfast::api {

class PagedStream : public BodyStream, public std::enable_shared_from_this<PagedStream> {
 public:
  // The first page, before the answer begins: what is wrong with the store can still be said with a status.
  Status ReadFirst();

  void Start(std::function<void()> wake) override;
  State Pull(std::string* out, std::size_t most) override;
  bool endless() const override { return false; }

 protected:
  // `what` is called a word of logs, such as "a list". The store outlives the stream.
  PagedStream(const storage::Store& store, std::string_view what) : store_(store), what_(what) {}
  const storage::Store& store() const { return store_; }

 private:
  // Fills `page`, which may stay empty; false: it is the last. One call at a time, from any thread.
  virtual Result<bool> ReadPage(std::string* page) = 0;
  // On the pool.
  void ReadAhead();

  const storage::Store& store_;
  const std::string what_;
  const tracing::ContextPtr context_ = tracing::CurrentContext();  // pages are read for whoever asked for the stream
  std::mutex mutex_;
  std::function<void()> wake_;  // guarded by mutex_
  std::string ready_;           // guarded by mutex_; what was not pulled yet
  std::size_t pulled_ = 0;      // guarded by mutex_; how much of ready_ was
  bool reading_ = false;        // guarded by mutex_; ReadAhead is queued or runs
  bool end_ = false;            // guarded by mutex_; nothing comes behind ready_
  bool failed_ = false;         // guarded by mutex_
};

}  // namespace holdfast::api
