DO $$
DECLARE
  stray text;
BEGIN
  FOR stray IN
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname ~ '^outbox_(message|kv)_[0-9]+$'
      AND substring(relname FROM '[0-9]+$')::bigint NOT IN (SELECT day FROM outbox_day)
  LOOP
    EXECUTE format('DROP TABLE %I', stray);
  END LOOP;
END $$;
