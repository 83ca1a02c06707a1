#include "operator/local/api_server/managed_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

bool SameWriter(const ManagedEntry& entry, const FieldWriter& writer, bool apply) {
  return entry.apply == apply && entry.writer.manager == writer.manager &&
         entry.writer.subresource == writer.subresource && (apply || entry.writer.api_version == writer.api_version);
}

ManagedEntry& EntryOf(ManagedFields& managed, const FieldWriter& writer, bool apply) {
  auto found = std::find_if(managed.begin(), managed.end(),
                            [&](const ManagedEntry& each) { return SameWriter(each, writer, apply); });
  if (found != managed.end()) return *found;
  managed.push_back({writer, apply, "", {}});
  return managed.back();
}

void DropEmptyEntries(ManagedFields& managed) {
  std::erase_if(managed, [](const ManagedEntry& each) { return each.fields.empty(); });
}

std::string Describe(const ManagedEntry& entry) {
  if (entry.apply) return fmt::format("\"{}\"", entry.writer.manager);
  std::string subresource =
      entry.writer.subresource.empty() ? "" : fmt::format(" with subresource \"{}\"", entry.writer.subresource);
  return fmt::format("\"{}\"{} using {}", entry.writer.manager, subresource, entry.writer.api_version);
}

struct OwnedByOthers {
  std::string owner;
  std::vector<std::string> fields;
};

ApiError ConflictError(const std::vector<OwnedByOthers>& conflicts) {
  Json causes = Json::array();
  std::string text;
  for (const OwnedByOthers& each : conflicts) {
    for (const std::string& field : each.fields) {
      causes.push_back(
          {{"reason", "FieldManagerConflict"}, {"message", "conflict with " + each.owner}, {"field", field}});
    }
    text +=
        fmt::format("{}conflict{} with {}:", text.empty() ? "" : "\n", each.fields.size() == 1 ? "" : "s", each.owner);
    if (each.fields.size() == 1) {
      text += " " + each.fields.front();
    } else {
      for (const std::string& field : each.fields) text += "\n- " + field;
    }
  }
  std::size_t count = causes.size();
  return {409, "Conflict", fmt::format("Apply failed with {} conflict{}: {}", count, count == 1 ? "" : "s", text),
          Json{{"causes", std::move(causes)}}};
}

// What a request may not write it does not state either, so that it neither owns it nor quarrels over it.
Json WithinReach(const ApplyRequest& request) {
  Json applied = request.applied;
  if (!request.status_apart) return applied;
  if (request.writer.subresource != "status") {
    applied.erase("status");
    return applied;
  }
  Json status = {{"apiVersion", TextAt(applied, {"apiVersion"})}, {"kind", TextAt(applied, {"kind"})}};
  for (const char* field : {"metadata", "status"}) {
    if (applied.contains(field)) status[field] = applied[field];
  }
  return status;
}

// What `kubectl apply` without --server-side stated last: kubectl may take over from itself without force.
// Source: k8s.io/apimachinery, managedfields/internal/lastappliedmanager.go.
FieldSet LastAppliedFields(const Json& live, FieldType type) {
  std::string text = TextAt(live, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"});
  Json last = Json::parse(text, nullptr, false);
  return last.is_object() ? FieldsOf(last, type) : FieldSet();
}

Json EntryToJson(const ManagedEntry& entry) {
  Json json = {{"manager", entry.writer.manager},
               {"operation", entry.apply ? "Apply" : "Update"},
               {"apiVersion", entry.writer.api_version},
               {"time", entry.time},
               {"fieldsType", "FieldsV1"},
               {"fieldsV1", entry.fields.ToFieldsV1()}};
  if (!entry.writer.subresource.empty()) json["subresource"] = entry.writer.subresource;
  return json;
}

}  // namespace

ManagedFields ReadManagedFields(const Json& object) {
  ManagedFields managed;
  for (const Json& each : ArrayAt(object, {"metadata", "managedFields"})) {
    const Json* fields = FindField(each, {"fieldsV1"});
    if (fields == nullptr) continue;
    managed.push_back({{TextAt(each, {"manager"}), TextAt(each, {"apiVersion"}), TextAt(each, {"subresource"})},
                       TextAt(each, {"operation"}) == "Apply",
                       TextAt(each, {"time"}),
                       FieldSet::FromFieldsV1(*fields)});
  }
  DropEmptyEntries(managed);
  return managed;
}

void WriteManagedFields(const ManagedFields& managed, Json* object) {
  if (managed.empty()) {
    EraseField(*object, {"metadata"}, "managedFields");
    return;
  }
  Json entries = Json::array();
  for (const ManagedEntry& each : managed) entries.push_back(EntryToJson(each));
  EnsureObject(*object, {"metadata"})["managedFields"] = std::move(entries);
}

FieldSet OwnableFieldsOf(const Json& object, FieldType type, bool status_apart, const std::string& subresource) {
  FieldSet fields = FieldsOf(object, type);
  for (const char* each : {"f:apiVersion", "f:kind"}) fields.children.erase(each);
  if (auto metadata = fields.children.find("f:metadata"); metadata != fields.children.end()) {
    for (const char* each :
         {"f:name", "f:namespace", "f:generateName", "f:uid", "f:resourceVersion", "f:generation", "f:selfLink",
          "f:creationTimestamp", "f:deletionTimestamp", "f:deletionGracePeriodSeconds", "f:managedFields"}) {
      metadata->second.children.erase(each);
    }
    if (metadata->second.children.empty()) fields.children.erase(metadata);
  }
  if (!status_apart) return fields;
  if (subresource == "status") {
    std::erase_if(fields.children,
                  [](const auto& each) { return each.first != "f:status" && each.first != "f:metadata"; });
  } else {
    fields.children.erase("f:status");
  }
  return fields;
}

Answer<Applied> ServerSideApply(const Json& live, const ManagedFields& managed, const ApplyRequest& request,
                                FieldType type) {
  Json applied = WithinReach(request);
  FieldSet stated = OwnableFieldsOf(applied, type, request.status_apart, request.writer.subresource);
  Json merged = live.is_null() ? applied : Merge(live, applied, type);
  EraseField(merged, {"metadata"}, "managedFields");
  Difference difference = Compare(live.is_null() ? nullptr : &live, &merged, type);

  Applied result{std::move(merged), managed};
  ManagedEntry& mine = EntryOf(result.managed, request.writer, true);
  std::vector<OwnedByOthers> conflicts;
  FieldSet conceded = request.writer.manager == "kubectl" ? LastAppliedFields(live, type) : FieldSet();
  FieldSet kept = stated;
  for (ManagedEntry& other : result.managed) {
    if (&other == &mine) continue;
    FieldSet taken = other.fields.Intersection(difference.changed);
    FieldSet disputed = taken;
    disputed.Remove(conceded);
    if (!disputed.empty()) conflicts.push_back({Describe(other), disputed.Paths()});
    other.fields.Remove(taken);
    kept.Add(other.fields);
  }
  if (!conflicts.empty() && !request.force) return ConflictError(conflicts);

  FieldSet last = mine.fields;
  if (!last.empty() && !live.is_null()) {
    // Identity is in nobody's set; metadata itself therefore always stays.
    kept.children["f:metadata"].member = true;
    Prune(result.object, last, kept, type);
  }
  if (mine.fields != stated || mine.time.empty()) mine.time = request.time;
  mine.fields = std::move(stated);
  mine.writer.api_version = request.writer.api_version;
  DropEmptyEntries(result.managed);
  return result;
}

ManagedFields TrackUpdate(const Json& before, const Json& after, ManagedFields managed, const FieldWriter& writer,
                          FieldType type, bool status_apart, const std::string& time) {
  FieldSet ownable = OwnableFieldsOf(after, type, status_apart, writer.subresource);
  if (before.is_null()) {
    if (!ownable.empty()) managed.push_back({writer, false, time, std::move(ownable)});
    return managed;
  }
  Difference difference = Compare(&before, &after, type);
  FieldSet changed = difference.changed.Intersection(ownable);
  for (ManagedEntry& each : managed) {
    FieldSet left = each.fields;
    left.Remove(difference.removed);
    if (!SameWriter(each, writer, false)) left.Remove(changed);
    if (left != each.fields) each.fields = std::move(left);
  }
  if (!changed.empty()) {
    ManagedEntry& mine = EntryOf(managed, writer, false);
    FieldSet owned = mine.fields;
    owned.Add(changed);
    mine.fields = std::move(owned);
    mine.time = time;
  }
  DropEmptyEntries(managed);
  return managed;
}

}  // namespace holdfast::local
