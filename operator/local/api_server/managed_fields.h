// Who owns which field of an object (metadata.managedFields), kept the way the real server keeps it: an apply owns what
// it states, gives up what it stops stating, and may take what others own only when forced; any other write owns what
// it changed. Pure; time is handed in.
// Source: kubernetes.io/docs/reference/using-api/server-side-apply; structured-merge-diff, merge/update.go.
#pragma once

#include <string>
#include <vector>

#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/field_merge.h"

namespace holdfast::local {

struct FieldWriter {
  std::string manager;
  std::string api_version;
  std::string subresource;
};

struct ManagedEntry {
  FieldWriter writer;
  bool apply = false;
  std::string time;
  FieldSet fields;
};

using ManagedFields = std::vector<ManagedEntry>;

ManagedFields ReadManagedFields(const Json& object);
// Sets or, when there is nothing to say, removes metadata.managedFields.
void WriteManagedFields(const ManagedFields& managed, Json* object);

// The fields an owner can have: not identity, not what the server writes itself, and only status or all but status,
// according to where the request went (`status_apart`: the kind has a status subresource).
FieldSet OwnableFieldsOf(const Json& object, FieldType type, bool status_apart, const std::string& subresource);

struct ApplyRequest {
  Json applied;
  FieldWriter writer;
  bool force = false;
  bool status_apart = false;
  std::string time;
};

struct Applied {
  Json object;  // without managedFields
  ManagedFields managed;
};
// `live` is null for an object that is yet to be. 409 naming every owner and field when not forced.
Answer<Applied> ServerSideApply(const Json& live, const ManagedFields& managed, const ApplyRequest& request,
                                FieldType type);

// After any other write from `before` (null = created) to `after`.
ManagedFields TrackUpdate(const Json& before, const Json& after, ManagedFields managed, const FieldWriter& writer,
                          FieldType type, bool status_apart, const std::string& time);

}  // namespace holdfast::local
