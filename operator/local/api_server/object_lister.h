// Lists: what is selected, page by page from one unchanging snapshot, in the form the client asks for.
#pragma once

#include <string>

#include "base/time/clock.h"
#include "operator/local/api_server/object_store.h"
#include "operator/local/api_server/request.h"
#include "operator/local/api_server/table.h"

namespace holdfast::local {

// The form a client asks for in its Accept header: objects, or a Table of them.
struct Presentation {
  bool table = false;
  RowObject row_object = RowObject::kMetadata;
};
Presentation PresentationOf(const http::ServerRequest& request, const Query& query);

Answer<Selection> SelectionOf(const Query& query, const ObjectPath& path);
// Nothing when absent; 400 when it is no number.
Answer<std::optional<std::uint64_t>> ResourceVersionOf(const Query& query);

class ObjectLister {
 public:
  ObjectLister(const ObjectStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  Answer<Json> List(const ObjectPath& path, const Query& query, const Presentation& presentation) const;
  Json Present(const ResourceType& type, const StoredObject& object, const Presentation& presentation) const;

 private:
  Answer<StoreSnapshot> SnapshotFor(const ObjectPath& path, const Query& query, kube::ObjectKey* start) const;

  const ObjectStore& store_;
  const Clock& clock_;
};

}  // namespace holdfast::local
