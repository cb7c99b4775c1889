-- pg_restore runs triggers with an empty search_path: each function brings the one by which it was made. Not those that
-- queries call: a function with a setting can not become part of the query.
DO $$
DECLARE trigger_function regprocedure;
BEGIN
  FOR trigger_function IN
    SELECT oid::regprocedure FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND prorettype = 'trigger'::regtype
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', trigger_function);
  END LOOP;
END $$;
