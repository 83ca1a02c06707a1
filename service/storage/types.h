// The words of the storage contract: keys, versions, entries, operations and what comes back. Plain data; value types;
// no type here is tied to a backend.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/storage/scan_filter.h"

namespace holdfast::storage {

// Strictly increases per key for ever, also across delete and re-create and across restarts. 0 = no version.
using Version = std::uint64_t;

// Largest values a store accepts unless its settings say otherwise.
struct Limits {
  std::size_t max_key_bytes = 512;
  std::size_t max_value_bytes = 10u << 20;
  std::size_t max_metadata_bytes = 4096;
  std::size_t max_tags = 64;
  std::size_t max_tag_bytes = 128;
  std::size_t max_content_type_bytes = 256;
  std::size_t max_operations = 10'000;     // per Execute and Transact
  std::size_t max_scan_entries = 10'000;   // per page
  std::size_t max_scan_bytes = 32u << 20;  // keys and values per page; a page holds at least one entry
};

// Of an entry without one of its own.
inline constexpr std::string_view kDefaultContentType = "application/octet-stream";

// What is stored under a key. Immutable once stored: readers share it without a lock.
struct Entry {
  std::string value;
  Version version = 0;
  Timestamp created_at{};
  Timestamp updated_at{};
  std::optional<Timestamp> expires_at;
  std::string content_type;  // empty = kDefaultContentType
  std::string metadata;      // JSON object text as given, or empty
  std::vector<std::string> tags;
};
using EntryPtr = std::shared_ptr<const Entry>;

struct KeyedEntry {
  std::string key;
  EntryPtr entry;               // without its value when keys_only was asked
  std::size_t value_bytes = 0;  // size of the value, also when keys_only
};

// What must hold for an operation to take effect.
struct Precondition {
  enum class Kind { kNone, kAbsent, kPresent, kVersion, kValue, kNotFenced };
  Kind kind = Kind::kNone;
  Version version = 0;      // kVersion
  std::string value;        // kValue
  std::uint64_t token = 0;  // kNotFenced: the value is a decimal number not above it, or there is no entry

  static Precondition None() { return {}; }
  static Precondition Absent() { return {Kind::kAbsent, 0, {}}; }
  static Precondition Present() { return {Kind::kPresent, 0, {}}; }
  static Precondition VersionIs(Version version) { return {Kind::kVersion, version, {}}; }
  static Precondition ValueIs(std::string value) { return {Kind::kValue, 0, std::move(value)}; }
  static Precondition NotFenced(std::uint64_t token) { return {Kind::kNotFenced, 0, {}, token}; }
};

// What a write does to the expiry.
struct Expiry {
  enum class Kind { kNever, kKeep, kAfter, kAt };
  Kind kind = Kind::kNever;
  std::chrono::microseconds after{};  // kAfter; above zero
  Timestamp at{};                     // kAt; in the past: the entry is written and is gone

  static Expiry Never() { return {}; }
  static Expiry Keep() { return {Kind::kKeep, {}, {}}; }
  static Expiry After(std::chrono::microseconds duration) { return {Kind::kAfter, duration, {}}; }
  static Expiry At(Timestamp when) { return {Kind::kAt, {}, when}; }
};

// How old an answer may be.
enum class Consistency {
  kStrong,    // it has everything that was acknowledged before the read was sent
  kEventual,  // it may come from a replica: an earlier state, how much earlier is the backend's to bound
};

enum class OperationKind { kGet, kPut, kDelete, kTake, kTouch, kIncrement };
std::string_view OperationKindName(OperationKind kind);  // "get", "put", ...
constexpr bool IsWrite(OperationKind kind) {
  return kind != OperationKind::kGet;
}

struct Operation {
  OperationKind kind = OperationKind::kGet;
  std::string key;
  Precondition precondition;      // every kind
  std::string value;              // put
  Expiry expiry;                  // put, touch, increment (increment: Keep unless told otherwise)
  std::string content_type;       // put
  std::string metadata;           // put
  std::vector<std::string> tags;  // put
  std::int64_t by = 1;            // increment
  // Of a put: what is stored as it is, its version and times included, in place of the fields above. Only where
  // Capabilities::reserves_versions, and with a version that was reserved there (Backend::ReserveVersions).
  EntryPtr decided;
  // Of gets. A backend without replicas answers all of them alike.
  Consistency consistency = Consistency::kStrong;
  Version min_version = 0;  // kEventual: an answer that is older than this version of the key will not do

  static Operation Get(std::string key);
  static Operation Put(std::string key, std::string value, Precondition precondition = {}, Expiry expiry = {});
  static Operation Delete(std::string key, Precondition precondition = {});
  static Operation Take(std::string key, Precondition precondition = {});
  static Operation Touch(std::string key, Expiry expiry, Precondition precondition = {});
  static Operation Increment(std::string key, std::int64_t by, Precondition precondition = {},
                             Expiry expiry = Expiry::Keep());
};

// The outcome of one operation. `status` codes: kNotFound (get, take, touch of an absent key), kVersionConflict
// (a kVersion or kValue precondition failed; kPresent on an absent key too), kAlreadyExists (kAbsent failed), kFenced
// (kNotFenced failed), kFailedPrecondition (increment of a value that is not a decimal 64-bit integer, or that would
// overflow), kInvalidArgument, kResourceExhausted, kOutcomeUnknown, kUnavailable, kCorruption, kDeadlineExceeded.
// Deleting an absent key without precondition is ok.
struct OperationResult {
  Status status;
  EntryPtr entry;  // get, take: what was read
  // ok: the key's version after a write (delete, take: of the removed entry, 0 when there was none), or the version
  // read. Failed precondition: the current version, 0 when absent.
  Version version = 0;
  std::optional<Timestamp> expires_at;  // after put, touch, increment
  bool existed = false;                 // whether a live entry was there before
  std::int64_t number = 0;              // increment: the new value
};

// One row of a transaction's `if`.
struct Condition {
  std::string key;
  Precondition precondition;
};

struct Transaction {
  std::vector<Condition> conditions;  // all must hold for `then`
  std::vector<Operation> then;
  std::vector<Operation> otherwise;
};

struct TransactionResult {
  bool conditions_held = false;
  // False when an operation of the chosen branch failed: then nothing of it took effect, and `results` says which.
  bool applied = false;
  std::vector<OperationResult> results;
};

// Half-open [start, end); an absent end is unbounded.
struct KeyRange {
  std::string start;
  std::optional<std::string> end;

  static KeyRange All() { return {}; }
  static KeyRange Prefix(std::string_view prefix);
  bool Contains(std::string_view key) const;
  // The part that is in both.
  KeyRange Intersect(const KeyRange& other) const;
};

struct ScanRequest {
  KeyRange range;
  bool descending = false;
  bool keys_only = false;
  std::size_t limit = 100;
  // Where the page before ended: the scan goes on strictly behind this key, in its direction.
  std::optional<std::string> after;
  Consistency consistency = Consistency::kStrong;
  std::optional<ScanFilter> filter;
};

struct ScanPage {
  std::vector<KeyedEntry> entries;  // in byte order of keys, or its reverse
  bool complete = false;            // nothing lies behind the last entry; only this ends a loop
  // With a filter: up to and with this key nothing was left out that matches, and the scan goes on behind it. Absent:
  // behind the last entry.
  std::optional<std::string> reached;
  std::size_t left_out = 0;  // entries that were looked at and did not match; 0 where an index found those that do
};

}  // namespace holdfast::storage
