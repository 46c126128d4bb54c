CREATE TABLE outbox_state (
  one smallint PRIMARY KEY CHECK (one = 1),
  epoch bigint NOT NULL,
  purged_transaction bigint NOT NULL,
  purged_sequence bigint NOT NULL,
  purged_day bigint NOT NULL,
  clock bigint NOT NULL
);
INSERT INTO outbox_state VALUES
  (1, ('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint, 0, 0, -1000000, 0);
CREATE TABLE outbox_kind (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);
CREATE TABLE outbox_day (day bigint PRIMARY KEY);
CREATE SEQUENCE outbox_sequence;

-- One at a time makes or drops the tables of a day, until its transaction ends.
CREATE FUNCTION outbox_lock_days() RETURNS void LANGUAGE sql AS
  'SELECT pg_advisory_xact_lock(8461287364813)';

CREATE FUNCTION outbox_make_day(d bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM outbox_lock_days();
  IF to_regclass(format('outbox_message_%s', d)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE outbox_message_%s (
      xid bigint NOT NULL,
      sequence bigint NOT NULL,
      id bytea PRIMARY KEY,
      time bigint NOT NULL,
      kind integer NOT NULL,
      resource text NOT NULL,
      UNIQUE (xid, sequence))', d);
  EXECUTE format('CREATE INDEX ON outbox_message_%s (kind, xid, sequence)', d);
  INSERT INTO outbox_day VALUES (d) ON CONFLICT DO NOTHING;
END $$;

-- 1: stored; 0: was stored before; -1: of a purged day; -2: one type too many.
CREATE FUNCTION outbox_publish(id bytea, d bigint, at bigint, kind_name text, resource text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  kind_number integer;
  stored integer;
BEGIN
  SELECT number INTO kind_number FROM outbox_kind WHERE name = kind_name;
  IF kind_number IS NULL THEN
    IF (SELECT count(*) FROM outbox_kind) >= 4096 THEN
      RETURN -2;
    END IF;
    INSERT INTO outbox_kind (name) VALUES (kind_name) ON CONFLICT (name) DO NOTHING;
    SELECT number INTO STRICT kind_number FROM outbox_kind WHERE name = kind_name;
  END IF;
  IF to_regclass(format('outbox_message_%s', d)) IS NULL THEN
    PERFORM outbox_lock_days();
    IF d <= (SELECT purged_day FROM outbox_state) THEN
      RETURN -1;
    END IF;
    PERFORM outbox_make_day(d);
  END IF;
  EXECUTE format('INSERT INTO outbox_message_%s VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (id) DO NOTHING', d)
    USING pg_current_xact_id()::text::bigint, nextval('outbox_sequence'), id, at, kind_number,
      resource;
  GET DIAGNOSTICS stored = ROW_COUNT;
  RETURN stored;
END $$;
