// The bodies of the API, but for those of openapi_store_schemas.h, as JSON Schema (the dialect of OpenAPI 3.0);
// openapi.cc adds the lists of codes.
#pragma once

#include <string_view>

namespace holdfast::api {

constexpr std::string_view kOpenApiSchemas = R"json({
  "Problem": {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "retryable", "trace_id"],
    "properties": {
      "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
      "detail": {"type": "string"}, "code": {"type": "string"}, "retryable": {"type": "boolean"},
      "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
      "limit": {"type": "integer", "description": "The limit that was exceeded, in bytes."},
      "holder": {"type": "string", "description": "Who holds the lock or leads the election."}
    }
  },
  "Failure": {
    "type": "object",
    "required": ["code", "detail", "retryable"],
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}, "retryable": {"type": "boolean"}}
  },
  "Item": {
    "type": "object",
    "required": ["key", "etag", "size", "created_at", "updated_at", "content_type", "metadata"],
    "properties": {
      "key": {"type": "string"},
      "encoding": {"type": "string", "enum": ["base64"], "description": "Key and value are base64."},
      "etag": {"type": "string"}, "size": {"type": "integer", "minimum": 0},
      "created_at": {"type": "string", "format": "date-time"},
      "updated_at": {"type": "string", "format": "date-time"},
      "expires_at": {"type": "string", "format": "date-time"},
      "content_type": {"type": "string"}, "metadata": {"type": "object"},
      "tags": {"type": "array", "items": {"type": "string"}},
      "value": {"type": "string"}
    }
  },
  "Page": {
    "type": "object",
    "required": ["items", "prefixes", "cursor", "complete"],
    "properties": {
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
      "prefixes": {"type": "array", "items": {"oneOf": [{"type": "string"}, {
        "type": "object", "required": ["prefix", "encoding"],
        "properties": {"prefix": {"type": "string"}, "encoding": {"type": "string", "enum": ["base64"]}}
      }]}},
      "cursor": {"type": "string", "description": "For the next page; empty when complete."},
      "complete": {"type": "boolean", "description": "Only this ends a loop over pages."}
    }
  },
  "Count": {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 0}}},
  "Deleted": {"type": "object", "required": ["deleted"], "properties": {"deleted": {"type": "integer", "minimum": 0}}},
  "AuditPage": {
    "type": "object",
    "required": ["items", "cursor", "complete"],
    "properties": {
      "items": {"type": "array", "items": {
        "type": "object",
        "required": ["id", "time", "actor", "from", "namespace", "operation", "key", "trace_id"],
        "properties": {
          "id": {"type": "integer", "minimum": 1},
          "time": {"type": "string", "format": "date-time"},
          "actor": {"type": "string"}, "from": {"type": "string", "description": "The client's IP address."},
          "namespace": {"type": "string"}, "store": {"type": "string"},
          "operation": {"type": "string"}, "key": {"type": "string"},
          "encoding": {"type": "string", "enum": ["base64"]},
          "etag": {"type": "string"},
          "value": {"type": "string", "description": "sha256: and the digest of what was written."},
          "trace_id": {"type": "string"}
        }
      }},
      "cursor": {"type": "string"},
      "complete": {"type": "boolean", "description": "Nothing lies behind the page now."}
    }
  },
  "Begin": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "isolation": {"type": "string", "enum": ["read_committed", "repeatable_read", "serializable"],
                    "description": "Default serializable."},
      "timeout": {"type": "string", "description": "A duration; rolled back when it is over."}
    }
  },
  "Begun": {
    "type": "object",
    "required": ["id", "expires_at"],
    "properties": {"id": {"type": "string"}, "expires_at": {"type": "string", "format": "date-time"}}
  },
  "CommitResults": {
    "type": "object",
    "required": ["committed"],
    "properties": {
      "committed": {"type": "boolean", "enum": [true]},
      "results": {"type": "array", "items": {
        "type": "object",
        "required": ["key"],
        "properties": {
          "key": {"type": "string"},
          "encoding": {"type": "string", "enum": ["base64"]},
          "etag": {"type": "string", "description": "Absent: the key is gone."},
          "expires_at": {"type": "string", "format": "date-time"}
        }
      }}
    }
  },
  "Increment": {
    "type": "object",
    "additionalProperties": false,
    "properties": {"by": {"type": "integer", "format": "int64"}}
  },
  "IncrementResult": {"type": "object", "required": ["value"], "properties": {"value": {"type": "integer", "format": "int64"}}},
  "Namespace": {
    "type": "object",
    "required": ["namespace", "quota", "usage"],
    "properties": {
      "namespace": {"type": "string"},
      "quota": {"$ref": "#/components/schemas/Quota"},
      "usage": {
        "type": "object",
        "required": ["bytes", "keys"],
        "properties": {
          "bytes": {"type": "integer"},
          "keys": {"type": "integer"},
          "counting": {"type": "boolean", "description": "The count of the start goes on: there may be more."}
        }
      }
    }
  },
  "NamespaceQuota": {
    "type": "object",
    "required": ["quota"],
    "properties": {"quota": {"$ref": "#/components/schemas/Quota"}}
  },
  "Operation": {
    "type": "object",
    "additionalProperties": false,
    "required": ["op", "key"],
    "properties": {
      "op": {"type": "string", "enum": ["get", "put", "delete", "take", "touch", "increment"]},
      "key": {"type": "string"},
      "value": {"type": "string", "description": "put only, and required there"},
      "encoding": {"type": "string", "enum": ["utf-8", "base64"], "description": "Of key and value."},
      "ttl": {"type": "string", "description": "put, touch, increment: a duration, keep or none"},
      "content_type": {"type": "string"}, "metadata": {"type": "object"},
      "tags": {"type": "array", "items": {"type": "string"}},
      "if_match": {"type": "string", "description": "An ETag, or *."},
      "if_none_match": {"type": "string", "enum": ["*"], "description": "put, increment: create only"},
      "by": {"type": "integer", "format": "int64", "description": "increment only; default 1"}
    }
  },
  "Batch": {
    "type": "object",
    "additionalProperties": false,
    "required": ["operations"],
    "properties": {
      "operations": {"type": "array", "maxItems": 10000, "items": {"$ref": "#/components/schemas/Operation"}}
    }
  },
  "Result": {
    "type": "object",
    "required": ["status"],
    "properties": {
      "status": {"type": "integer", "description": "As the same request for a single key would be answered."},
      "etag": {"type": "string"},
      "value": {"oneOf": [{"type": "string"}, {"type": "integer", "format": "int64"}]},
      "encoding": {"type": "string", "enum": ["base64"]},
      "content_type": {"type": "string"}, "metadata": {"type": "object"},
      "tags": {"type": "array", "items": {"type": "string"}},
      "expires_at": {"type": "string", "format": "date-time"},
      "error": {"$ref": "#/components/schemas/Failure"}
    }
  },
  "BatchResults": {
    "type": "object",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}}}
  },
  "Condition": {
    "type": "object",
    "additionalProperties": false,
    "required": ["key"],
    "properties": {
      "key": {"type": "string"}, "etag": {"type": "string"}, "exists": {"type": "boolean"},
      "value": {"type": "string"}, "encoding": {"type": "string", "enum": ["utf-8", "base64"]}
    }
  },
  "Transaction": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "if": {"type": "array", "maxItems": 10000, "items": {"$ref": "#/components/schemas/Condition"}},
      "then": {"type": "array", "maxItems": 10000, "items": {"$ref": "#/components/schemas/Operation"}},
      "else": {"type": "array", "maxItems": 10000, "items": {"$ref": "#/components/schemas/Operation"}}
    }
  },
  "TransactionResults": {
    "type": "object",
    "required": ["committed", "branch", "applied"],
    "properties": {
      "committed": {"type": "boolean", "description": "The conditions held and \"then\" took effect."},
      "branch": {"type": "string", "enum": ["then", "else"]},
      "applied": {"type": "boolean", "description": "False: an operation failed, and nothing took effect."},
      "results": {
        "type": "array", "description": "Left out when a repeat is answered and they are not known any more.",
        "items": {"$ref": "#/components/schemas/Result"}
      }
    }
  },
  "Quota": {
    "type": "object",
    "description": "What is left out is not limited.",
    "additionalProperties": false,
    "properties": {
      "bytes": {"type": "integer", "minimum": 0, "maximum": 1152921504606846976},
      "keys": {"type": "integer", "minimum": 0, "maximum": 1152921504606846976},
      "requests_per_second": {"type": "integer", "minimum": 0, "maximum": 1000000}
    }
  },
  "LeaseRequest": {
    "type": "object",
    "additionalProperties": false,
    "required": ["owner"],
    "properties": {
      "owner": {"type": "string", "minLength": 1, "description": "Shown to others; not a secret."},
      "ttl": {"type": "string", "description": "A duration; default 30s."},
      "wait": {"type": "string", "description": "A duration: how long to wait while it is held; default 0s."}
    }
  },
  "LeaseExtension": {
    "type": "object",
    "additionalProperties": false,
    "required": ["lease"],
    "properties": {
      "lease": {"type": "string", "minLength": 1},
      "ttl": {"type": "string", "description": "A duration from now; default 30s."}
    }
  },
  "Grant": {
    "type": "object",
    "required": ["lease", "token", "expires_at"],
    "properties": {
      "lease": {"type": "string", "description": "Extends and releases; a secret."},
      "token": {"type": "integer", "format": "int64", "description": "For Holdfast-Fence; rises for ever."},
      "expires_at": {"type": "string", "format": "date-time"}
    }
  },
  "Holder": {
    "type": "object",
    "required": ["holder", "owner", "token", "expires_at"],
    "properties": {
      "holder": {"type": "string"}, "owner": {"type": "string", "description": "The same."},
      "encoding": {"type": "string", "enum": ["base64"]},
      "token": {"type": "integer", "format": "int64"},
      "expires_at": {"type": "string", "format": "date-time"}
    }
  },
  "Receivers": {
    "type": "object", "required": ["receivers"], "properties": {"receivers": {"type": "integer", "minimum": 0}}
  },
  "Changes": {
    "type": "object",
    "required": ["events", "position", "compacted"],
    "properties": {
      "events": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["event", "position", "item"],
          "properties": {
            "event": {"type": "string", "enum": ["put", "delete", "expire"]},
            "position": {"type": "string"},
            "item": {
              "type": "object",
              "required": ["key", "etag"],
              "description": "An Item with its value; of what is gone only key and ETag."
            }
          }
        }
      },
      "position": {"type": "string", "description": "since= of the next request."},
      "compacted": {"type": "boolean", "description": "What happened up to the position is not known: list the keys."}
    }
  },
  "CollectionIndexes": {
    "type": "object",
    "additionalProperties": false,
    "required": ["indexes"],
    "properties": {"indexes": {
      "type": "array",
      "description": "Paths into the documents; each at most once.",
      "items": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}([.][a-zA-Z0-9_-]{1,40}){0,3}$"}
    }}
  },
  "Collection": {
    "type": "object",
    "required": ["name", "indexes"],
    "properties": {
      "name": {"type": "string"},
      "indexes": {"type": "array", "items": {
        "type": "object",
        "required": ["path", "state"],
        "properties": {
          "path": {"type": "string"},
          "state": {"type": "string", "enum": ["building", "ready", "dropping"]},
          "documents": {"type": "integer", "minimum": 0, "description": "building: how many it has so far."}
        }
      }}
    }
  },
  "Collections": {
    "type": "object",
    "required": ["items", "cursor", "complete"],
    "properties": {
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/Collection"}},
      "cursor": {"type": "string", "description": "For the next page; empty when complete."},
      "complete": {"type": "boolean", "description": "Only this ends a loop over pages."}
    }
  },
  "Document": {"type": "object", "description": "One JSON object."},
  "DocumentPage": {
    "type": "object",
    "required": ["items", "cursor", "complete", "examined"],
    "properties": {
      "items": {"type": "array", "items": {
        "type": "object",
        "required": ["id", "etag", "created_at", "updated_at", "document"],
        "properties": {
          "id": {"type": "string"}, "etag": {"type": "string"},
          "created_at": {"type": "string", "format": "date-time"},
          "updated_at": {"type": "string", "format": "date-time"},
          "expires_at": {"type": "string", "format": "date-time"},
          "document": {"$ref": "#/components/schemas/Document"}
        }
      }},
      "cursor": {"type": "string", "description": "For the next page; empty when complete."},
      "complete": {"type": "boolean", "description": "Only this ends a loop over pages."},
      "examined": {"type": "integer", "minimum": 0, "description": "Documents that were read for the page."}
    }
  },
  "OpenApi": {"type": "object", "required": ["openapi", "paths"]}
})json";

}  // namespace holdfast::api
