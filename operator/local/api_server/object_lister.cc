#include "operator/local/api_server/object_lister.h"

#include <charconv>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

// Where the next page begins: a snapshot's revision and the last key given. Opaque to clients.
std::string EncodeContinue(std::uint64_t revision, const kube::ObjectKey& last) {
  return http::PercentEncode(Json{{"rv", revision}, {"ns", last.ns}, {"name", last.name}}.dump());
}

bool DecodeContinue(const std::string& token, std::uint64_t* revision, kube::ObjectKey* last) {
  auto text = http::PercentDecode(token);
  Json json = text ? Json::parse(*text, nullptr, false) : Json();
  const Json* rv = FindField(json, {"rv"});
  if (rv == nullptr || !rv->is_number_unsigned()) return false;
  *revision = rv->get<std::uint64_t>();
  *last = {TextAt(json, {"ns"}), TextAt(json, {"name"})};
  return true;
}

// The requested version's name, whatever version it was written in.
StoredObject InVersion(const ResourceType& type, const StoredObject& object) {
  if (TextAt(*object, {"apiVersion"}) == type.kind.api_version()) return object;
  Json copy = *object;
  copy["apiVersion"] = type.kind.api_version();
  return std::make_shared<const Json>(std::move(copy));
}

}  // namespace

Presentation PresentationOf(const http::ServerRequest& request, const Query& query) {
  Presentation presentation;
  std::string accept = HeaderOf(request, "Accept");
  accept = accept.substr(0, accept.find(','));
  presentation.table = accept.find("as=Table") != std::string::npos;
  std::string include = QueryValue(query, "includeObject");
  if (include == "None") presentation.row_object = RowObject::kNone;
  if (include == "Object") presentation.row_object = RowObject::kObject;
  return presentation;
}

Answer<Selection> SelectionOf(const Query& query, const ObjectPath& path) {
  HOLDFAST_TRY(LabelSelector labels, LabelSelector::Parse(QueryValue(query, "labelSelector")));
  HOLDFAST_TRY(FieldSelector fields, FieldSelector::Parse(QueryValue(query, "fieldSelector"), *path.type));
  return Selection{std::move(labels), std::move(fields), path.ns};
}

Answer<std::optional<std::uint64_t>> ResourceVersionOf(const Query& query) {
  std::string text = QueryValue(query, "resourceVersion");
  if (text.empty()) return std::optional<std::uint64_t>();
  std::uint64_t revision = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size()) {
    return errors::BadRequest("resourceVersion: Invalid value: \"" + text + "\": not a number");
  }
  return std::optional<std::uint64_t>(revision);
}

Answer<StoreSnapshot> ObjectLister::SnapshotFor(const ObjectPath& path, const Query& query,
                                                kube::ObjectKey* start) const {
  std::string resource = path.type->Resource();
  HOLDFAST_TRY(std::optional<std::uint64_t> asked, ResourceVersionOf(query));
  std::optional<std::uint64_t> exact;
  if (std::string token = QueryValue(query, "continue"); !token.empty()) {
    exact = 0;
    if (!DecodeContinue(token, &*exact, start)) {
      return errors::BadRequest("invalid continue token: continue key is not valid");
    }
  } else if (asked && QueryValue(query, "resourceVersionMatch") == "Exact") {
    exact = asked;
  }
  std::uint64_t current = store_.revision();
  if (asked && *asked > current) return errors::TooLargeResourceVersion(*asked, current);
  if (!exact) return store_.List(resource, path.ns);
  std::optional<StoreSnapshot> snapshot = store_.ListAt(resource, path.ns, *exact);
  if (!snapshot) {
    return errors::Expired(
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter.");
  }
  return std::move(*snapshot);
}

Answer<Json> ObjectLister::List(const ObjectPath& path, const Query& query, const Presentation& presentation) const {
  HOLDFAST_TRY(Selection selection, SelectionOf(query, path));
  kube::ObjectKey start;
  HOLDFAST_TRY(StoreSnapshot snapshot, SnapshotFor(path, query, &start));
  std::size_t limit = 0;
  if (std::string text = QueryValue(query, "limit"); !text.empty()) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size()) return errors::BadRequest("limit is not a number");
  }

  Json metadata = {{"resourceVersion", std::to_string(snapshot.revision)}};
  std::vector<StoredObject> page;
  kube::ObjectKey last;
  for (const auto& [key, object] : snapshot.objects) {
    if ((!start.name.empty() && key <= start) || !selection.Matches(*object)) continue;
    if (limit != 0 && page.size() == limit) {
      metadata["continue"] = EncodeContinue(snapshot.revision, last);
      break;
    }
    page.push_back(InVersion(*path.type, object));
    last = key;
  }
  if (presentation.table) return TableOf(*path.type, page, metadata, presentation.row_object, clock_.Now());
  Json items = Json::array();
  for (const StoredObject& each : page) items.push_back(*each);
  return Json{{"kind", path.type->list_kind},
              {"apiVersion", path.type->kind.api_version()},
              {"metadata", std::move(metadata)},
              {"items", std::move(items)}};
}

Json ObjectLister::Present(const ResourceType& type, const StoredObject& object,
                           const Presentation& presentation) const {
  StoredObject shown = InVersion(type, object);
  if (!presentation.table) return *shown;
  Json metadata = {{"resourceVersion", TextAt(*shown, {"metadata", "resourceVersion"})}};
  return TableOf(type, {shown}, metadata, presentation.row_object, clock_.Now());
}

}  // namespace holdfast::local
