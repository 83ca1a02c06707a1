-- What clients store. Every name stands unqualified: the schema is the first one of the search path.

-- Times are microseconds since 1970: what the API promises, without rounding and without a time zone.
CREATE TABLE entries (
  key          bytea  NOT NULL PRIMARY KEY,  -- store \0 namespace \0 room key; bytea compares byte by byte
  version      bigint NOT NULL,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL,
  expires_at   bigint,                       -- null = never
  content_type bytea,                        -- null = application/octet-stream
  metadata     bytea,                        -- the JSON text as it was given; null = none
  tags         bytea[],                      -- null = none
  value        bytea  NOT NULL
) WITH (fillfactor = 90);                    -- room for a rewrite in the same page, which then leaves the index alone

CREATE INDEX entries_expires_at ON entries (expires_at) WHERE expires_at IS NOT NULL;

-- One number is the first of a block: the nth operation of a call takes the nth of it, and no call has as many.
-- CACHE 1: numbers kept by a session would be handed out after newer ones of another.
CREATE SEQUENCE versions AS bigint INCREMENT BY 65536 MINVALUE 65536 START WITH 65536 CACHE 1 NO CYCLE;
