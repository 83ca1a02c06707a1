// What the API tells of stores themselves, as JSON Schema: beside openapi_schemas.h, in the same document.
#pragma once

#include <string_view>

namespace holdfast::api {

constexpr std::string_view kOpenApiStoreSchemas = R"json({
  "Maintained": {
    "type": "object", "required": ["action"],
    "properties": {
      "action": {"type": "string", "enum": ["compact", "flush", "warm"]},
      "bytes_before": {"type": "integer", "minimum": 0, "description": "Of compact and flush, as what follows."},
      "bytes_after": {"type": "integer", "minimum": 0},
      "entries": {"type": "integer", "minimum": 0, "description": "Of warm: what was read into the cache."},
      "bytes": {"type": "integer", "minimum": 0},
      "complete": {"type": "boolean", "description": "Of warm: nothing is left; else a limit or the timeout ended it."}
    }
  },
  "Migration": {
    "type": "object",
    "required": ["phase", "pending", "total", "copied", "compared", "differences", "missed_writes", "instances"],
    "properties": {
      "phase": {"type": "string", "enum": ["idle", "dual_write", "verifying", "verified", "reads_switched", "cut_over", "aborting"]},
      "pending": {"type": "boolean", "description": "Not all instances have come to the phase yet."},
      "id": {"type": "string"},
      "total": {"type": "integer", "minimum": 0}, "copied": {"type": "integer", "minimum": 0},
      "compared": {"type": "integer", "minimum": 0}, "differences": {"type": "integer", "minimum": 0},
      "missed_writes": {"type": "integer", "minimum": 0}, "instances": {"type": "integer", "minimum": 0}
    }
  },
  "NewId": {
    "type": "object",
    "properties": {"id": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$", "description": "Default: one is made."}}
  },
  "Checkpoint": {
    "type": "object",
    "required": ["id", "validated"],
    "properties": {
      "id": {"type": "string"}, "created_at": {"type": "string", "format": "date-time"},
      "entry_count": {"type": "integer", "minimum": 0},
      "entry_bytes": {"type": "integer", "minimum": 0, "description": "Of keys and values."},
      "size_bytes": {"type": "integer", "minimum": 0, "description": "Of the file."},
      "checksum": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "format_version": {"type": "integer"},
      "reason": {"type": "string", "enum": ["requested", "periodic", "shutdown", "undo"]},
      "consistency": {"type": "string", "enum": ["per_entry", "point_in_time"]}, "backend": {"type": "string"},
      "validated": {"type": "boolean"}, "validated_at": {"type": "string", "format": "date-time"},
      "damaged": {"type": "string", "description": "What is wrong with it; then only id and validated are there."}
    }
  },
  "Checkpoints": {
    "type": "object", "required": ["items"],
    "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Checkpoint"}}}
  },
  "CheckpointOutcome": {
    "type": "object",
    "properties": {
      "valid": {"type": "boolean"}, "entry_count": {"type": "integer", "minimum": 0}, "checksum": {"type": "string"},
      "restored": {"type": "integer", "minimum": 0, "description": "Entries of the checkpoint that the store has now."},
      "undo": {"type": "string"},
      "written": {"type": "integer", "minimum": 0}, "deleted": {"type": "integer", "minimum": 0},
      "expired": {"type": "integer", "minimum": 0}
    }
  },
  "Backup": {
    "type": "object",
    "required": ["id", "verified"],
    "properties": {
      "id": {"type": "string"}, "created_at": {"type": "string", "format": "date-time"},
      "kind": {"type": "string", "enum": ["full", "incremental"]},
      "parent": {"type": "string", "description": "Of an increment: the backup that it builds on."},
      "increments": {"type": "integer", "minimum": 1, "description": "From the full one to it, itself included."},
      "entry_count": {"type": "integer", "minimum": 0},
      "entry_bytes": {"type": "integer", "minimum": 0, "description": "Of keys and values."},
      "size_bytes": {"type": "integer", "minimum": 0, "description": "Of its own objects."},
      "objects": {"type": "integer", "minimum": 1}, "encrypted": {"type": "boolean"},
      "checksum": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "format_version": {"type": "integer"},
      "consistency": {"type": "string", "enum": ["per_entry", "point_in_time"]}, "backend": {"type": "string"},
      "verified": {"type": "boolean"}, "verified_at": {"type": "string", "format": "date-time"},
      "drill": {"type": "object", "description": "When it was last restored into a scratch store and compared.",
        "required": ["at", "succeeded", "restore_ms"],
        "properties": {"at": {"type": "string", "format": "date-time"}, "succeeded": {"type": "boolean"},
          "restore_ms": {"type": "integer", "minimum": 0}, "code": {"type": "string"}}},
      "damaged": {"type": "string", "description": "What is wrong with it; then only id and verified are there."}
    }
  },
  "Backups": {
    "type": "object", "required": ["items"],
    "properties": {
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/Backup"}},
      "restorable": {"type": "object", "required": ["earliest", "latest"],
        "description": "Between which times to_time may lie, by what is on the target; not there: none.",
        "properties": {"earliest": {"type": "string", "format": "date-time"},
          "latest": {"type": "string", "format": "date-time"}}},
      "schedule": {"type": "object", "description": "When they are made by themselves; not there: they are not.",
        "required": ["expression", "time_zone", "next"],
        "properties": {"expression": {"type": "string"}, "time_zone": {"type": "string"},
          "next": {"type": "array", "items": {"type": "string", "format": "date-time"},
            "description": "When the next ones are due."}}}
    }
  },
  "BackupRun": {
    "type": "object",
    "required": ["run", "action", "state", "asked_at"],
    "properties": {
      "run": {"type": "string"}, "backup": {"type": "string"},
      "action": {"type": "string", "enum": ["create", "verify", "drill", "restore", "prune"]},
      "state": {"type": "string", "enum": ["waiting", "running", "succeeded", "failed"]},
      "asked_at": {"type": "string", "format": "date-time"}, "begun_at": {"type": "string", "format": "date-time"},
      "finished_at": {"type": "string", "format": "date-time"},
      "step": {"type": "string", "enum": ["write", "verify", "drill", "compare", "fetch", "replay", "restore", "prune"]},
      "source": {"type": "string", "description": "The store of another deployment that the backup is of."},
      "to_time": {"type": "string", "format": "date-time", "description": "Of a restore to a time."},
      "bytes": {"type": "integer", "minimum": 0, "description": "That this step has moved."},
      "total_bytes": {"type": "integer", "minimum": 0, "description": "That it will have; not there: not known."},
      "problem": {"type": "object", "description": "Why it has failed.", "required": ["code", "detail"],
        "properties": {"code": {"type": "string"}, "detail": {"type": "string"}}},
      "item": {"$ref": "#/components/schemas/Backup"},
      "note": {"type": "string", "description": "Why an increment that was asked for is a full backup."},
      "removed": {"type": "array", "items": {"type": "string"}, "description": "Backups that retention did not keep."},
      "restored": {"type": "integer", "minimum": 0, "description": "Entries of the backup that the store has now."},
      "undo": {"type": "string", "description": "The checkpoint taken just before."},
      "written": {"type": "integer", "minimum": 0}, "deleted": {"type": "integer", "minimum": 0},
      "expired": {"type": "integer", "minimum": 0}
    }
  },
  "Conflicts": {
    "type": "object",
    "required": ["items", "complete"],
    "properties": {
      "items": {"type": "array", "items": {
        "type": "object",
        "required": ["key", "deleted"],
        "properties": {
          "key": {"type": "string"}, "encoding": {"type": "string", "enum": ["base64"]}, "deleted": {"type": "boolean"},
          "replaced_etag": {"type": "string"}, "written_at": {"type": "string"}, "content_type": {"type": "string"},
          "metadata": {"type": "object"}, "value": {"type": "string"}
        }
      }},
      "complete": {"type": "boolean"}
    }
  },
  "HotKeys": {
    "type": "object",
    "required": ["items", "window", "sampled_one_in"],
    "properties": {
      "items": {"type": "array", "items": {
        "type": "object",
        "required": ["key", "reads", "writes"],
        "properties": {
          "key": {"type": "string"},
          "encoding": {"type": "string", "enum": ["base64"]},
          "reads": {"type": "integer", "minimum": 0}, "writes": {"type": "integer", "minimum": 0}
        }
      }},
      "window": {"type": "string", "description": "How far back the counts reach, such as 5m."},
      "sampled_one_in": {"type": "integer", "minimum": 1}
    }
  },
  "Store": {
    "type": "object",
    "required": ["name", "default", "backend", "kind", "durability", "capabilities", "limits", "health", "statistics"],
    "properties": {
      "name": {"type": "string"}, "default": {"type": "boolean"}, "backend": {"type": "string"},
      "kind": {"type": "string"}, "durability": {"type": "string"}, "default_ttl": {"type": "string"},
      "composition": {
        "type": "object", "description": "Only of a store over several backends, by their names.",
        "properties": {
          "tiered": {
            "type": "object", "required": ["cache", "store", "write"],
            "properties": {
              "cache": {"type": "string"}, "store": {"type": "string"},
              "write": {"type": "string", "enum": ["through", "behind", "back"]},
              "queue": {
                "type": "object", "description": "Acknowledged writes that the store's backend does not have yet.",
                "required": ["entries", "bytes", "oldest_ms", "away", "drained", "conflicts"],
                "properties": {
                  "entries": {"type": "integer"}, "bytes": {"type": "integer"}, "oldest_ms": {"type": "integer"},
                  "away": {"type": "boolean", "description": "The backend does not take what it is brought."},
                  "reason": {"type": "string"}, "drained": {"type": "integer"}, "coalesced": {"type": "integer"},
                  "conflicts": {"type": "integer"}, "retries": {"type": "integer"}, "refused": {"type": "integer"}
                }
              }
            }
          },
          "failover": {
            "type": "object",
            "required": ["primary", "secondary", "mode", "serving", "since", "copy", "journal_keys", "conflicts"],
            "properties": {
              "primary": {"type": "string"}, "secondary": {"type": "string"},
              "mode": {"type": "string", "enum": ["read_only", "read_write"]},
              "serving": {"type": "string", "enum": ["primary", "secondary", "replaying"]},
              "since": {"type": "string", "format": "date-time"},
              "reason": {"type": "string", "description": "Why it is not the primary, or why there is no switch."},
              "copy": {
                "type": "object", "required": ["complete", "pending_keys", "comparing"],
                "properties": {
                  "complete": {"type": "boolean"},
                  "lag_ms": {"type": "integer", "description": "How far it is behind at most; absent while unknown."},
                  "pending_keys": {"type": "integer"},
                  "comparing": {"type": "boolean", "description": "Changes were missed and are looked for."}
                }
              },
              "journal_keys": {"type": "integer"}, "replayed": {"type": "integer"},
              "conflicts": {"type": "integer"}, "refused_writes": {"type": "integer"},
              "switches": {"type": "integer"}
            }
          },
          "replicated": {
            "type": "object",
            "required": ["mode", "write_quorum", "read_quorum", "term", "replicas", "in_doubt", "divergences", "conflicts"],
            "properties": {
              "mode": {"type": "string", "enum": ["quorum", "eventual"]},
              "write_quorum": {"type": "integer"}, "read_quorum": {"type": "integer"},
              "term": {"type": "integer", "description": "Rises with every start; 0: too few replicas are there."},
              "reason": {"type": "string", "description": "Why writes or reads are refused."},
              "replicas": {
                "type": "array",
                "items": {
                  "type": "object", "required": ["backend", "standing", "leader", "since", "waiting_batches"],
                  "properties": {
                    "backend": {"type": "string"},
                    "standing": {"type": "string", "enum": ["up", "catching_up", "away"]},
                    "leader": {"type": "boolean"}, "since": {"type": "string", "format": "date-time"},
                    "reason": {"type": "string"}, "waiting_batches": {"type": "integer"}
                  }
                }
              },
              "in_doubt": {"type": "integer", "description": "Batches of writes that too few replicas have."},
              "comparisons": {"type": "integer"}, "copied": {"type": "integer"},
              "divergences": {"type": "integer"}, "conflicts": {"type": "integer"},
              "leader_changes": {"type": "integer"},
              "compare": {
                "type": "object", "description": "The comparison in the background; only where there is one.",
                "required": ["rounds", "unfinished", "keys", "mended", "undecided"],
                "properties": {
                  "rounds": {"type": "integer", "description": "That compared everything."},
                  "unfinished": {"type": "integer", "description": "Rounds that did not."},
                  "keys": {"type": "integer"}, "mended": {"type": "integer"},
                  "undecided": {
                    "type": "integer",
                    "description": "Keys of the last round that differ, and nothing says which replica is right."
                  },
                  "ended": {"type": "string", "format": "date-time", "description": "The last round."},
                  "reason": {"type": "string", "description": "Why that did not compare everything."}
                }
              }
            }
          }
        }
      },
      "lock_quorum": {
        "type": "object", "description": "Only of a store whose locks are kept by a majority of several backends.",
        "required": ["backends", "majority"],
        "properties": {
          "backends": {"type": "array", "items": {"type": "string"}}, "majority": {"type": "integer"}
        }
      },
      "capabilities": {
        "type": "object",
        "properties": {
          "transactions": {"type": "boolean"}, "transactions_span_keys": {"type": "boolean"},
          "durable_ack": {"type": "boolean"}, "ordered_scan": {"type": "boolean"}, "locks": {"type": "boolean"},
          "fencing_survives_failover": {"type": "boolean"}, "watch": {"type": "boolean"},
          "channels": {"type": "boolean"}, "events_span_instances": {"type": "boolean"},
          "versions_final": {"type": "boolean", "description": "An entry keeps the version its write was answered with."},
          "snapshots": {"type": "string", "enum": ["per_entry", "point_in_time"]}
        }
      },
      "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
      "health": {
        "type": "object", "required": ["status"],
        "properties": {"status": {"type": "string", "enum": ["healthy", "unhealthy"]}, "error": {"type": "string"}}
      },
      "statistics": {"type": "object"}
    }
  },
  "Stores": {
    "type": "object",
    "required": ["stores"],
    "properties": {"stores": {"type": "array", "items": {"$ref": "#/components/schemas/Store"}}}
  }
})json";

}  // namespace holdfast::api
