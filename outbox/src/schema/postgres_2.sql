-- Key-value pairs of transports, beside each day's messages and dropped with them.
CREATE OR REPLACE FUNCTION outbox_make_day(d bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM outbox_lock_days();
  IF to_regclass(format('outbox_message_%s', d)) IS NULL THEN
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
  END IF;
  IF to_regclass(format('outbox_kv_%s', d)) IS NULL THEN
    EXECUTE format('CREATE TABLE outbox_kv_%s (
        message bytea NOT NULL,
        transport text NOT NULL,
        key text NOT NULL,
        value text NOT NULL,
        PRIMARY KEY (message, transport, key))', d);
    -- What is asked to be sent again is few among many.
    EXECUTE format('CREATE INDEX ON outbox_kv_%s (transport, message) WHERE key = ''again''', d);
  END IF;
END $$;
