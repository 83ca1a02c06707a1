// Reading documents whose shape a client chose: nothing here throws, whatever is absent or of another type reads as
// empty.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace holdfast::local {

using Json = nlohmann::json;
using FieldPath = std::initializer_list<std::string_view>;

// nullptr when a step is absent or not an object.
const Json* FindField(const Json& object, FieldPath path);
Json* FindField(Json* object, FieldPath path);
std::string TextAt(const Json& object, FieldPath path);
std::int64_t IntegerAt(const Json& object, FieldPath path, std::int64_t otherwise = 0);
bool BoolAt(const Json& object, FieldPath path, bool otherwise = false);
// An empty array or object when absent or of another type.
const Json& ArrayAt(const Json& object, FieldPath path);
const Json& ObjectAt(const Json& object, FieldPath path);
// They point into the document, so they are not for one that is about to go.
const Json* FindField(Json&& object, FieldPath path) = delete;
const Json& ArrayAt(Json&& object, FieldPath path) = delete;
const Json& ObjectAt(Json&& object, FieldPath path) = delete;

// metadata.name and the like.
std::string NameOf(const Json& object);
std::string NamespaceOf(const Json& object);
std::string UidOf(const Json& object);
bool IsTerminating(const Json& object);
bool HasFinalizer(const Json& object, std::string_view finalizer);

// Makes every step an object where it is not one yet.
Json& EnsureObject(Json& object, FieldPath path);
// Sets what is absent or null.
void SetDefault(Json& object, const std::string& field, Json value);
void EraseField(Json& object, FieldPath parent, std::string_view name);

}  // namespace holdfast::local
