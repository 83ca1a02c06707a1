-- Metadata and tags of an entry as JSONB, for the server to evaluate filters on: {"metadata":{...},"tags":["eu"]}. The
-- columns metadata and tags stay, because clients get back the bytes they gave, and JSONB keeps neither their order nor
-- their spelling. Existing rows are carried over: this step writes the table once more.

-- Without Unicode JSONB cannot hold what metadata may.
DO $$
BEGIN
  IF getdatabaseencoding() <> 'UTF8' THEN
    RAISE EXCEPTION 'the database is encoded in %, holdfast needs UTF8', getdatabaseencoding()
      USING ERRCODE = 'feature_not_supported', HINT = 'Create it with ENCODING ''UTF8'' and copy the data.';
  END IF;
END $$;

-- Null when there is neither. {"unclear":true} when JSONB would not say the same as the filter language does: what is no
-- JSON, holds NUL, or holds a number that JSONB keeps exactly and the filter language as a double. Filters let those
-- rows through, and the service looks at them. Fifteen digits without an exponent are one and the same double.
CREATE FUNCTION attributes_of(p_metadata bytea, p_tags bytea[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
  v_number CONSTANT text := '[0-9][0-9.]{15}|[0-9][eE]';
  v_text   text;
  v_all    jsonb := '{}';
BEGIN
  IF p_metadata IS NULL AND p_tags IS NULL THEN RETURN NULL; END IF;
  IF p_metadata IS NOT NULL THEN
    v_text := convert_from(p_metadata, 'UTF8');
    IF v_text ~ v_number AND regexp_replace(v_text, '"(?:\\.|[^"\\])*"', '""', 'g') ~ v_number THEN
      RETURN '{"unclear":true}';
    END IF;
    v_all := jsonb_build_object('metadata', v_text::jsonb);
  END IF;
  IF p_tags IS NOT NULL THEN
    v_all := v_all || jsonb_build_object('tags', (SELECT jsonb_agg(convert_from(t, 'UTF8')) FROM unnest(p_tags) AS t));
  END IF;
  RETURN v_all;
EXCEPTION
  -- These and what belongs to their classes: whatever a text can be wrong about.
  WHEN data_exception OR program_limit_exceeded THEN RETURN '{"unclear":true}';
END $$;

ALTER TABLE entries ADD COLUMN attributes jsonb GENERATED ALWAYS AS (attributes_of(metadata, tags)) STORED;

-- Without knowing the new column the planner would not come to think of an index on it; rewriting the table counts as no
-- change that calls for autovacuum. An empty table stays unknown: known as empty, it would be read from end to end for
-- every key of a batch until the first autovacuum.
DO $$
BEGIN
  IF EXISTS (SELECT FROM entries) THEN ANALYZE entries; END IF;
END $$;
