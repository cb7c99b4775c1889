CREATE TABLE "audit_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"actor" text NOT NULL,
	"actor_id" bigint,
	"operation" text,
	"action" text NOT NULL,
	"resource" text NOT NULL,
	"record_ids" bigint[] DEFAULT '{}' NOT NULL,
	"address" text,
	"request_id" uuid,
	"outcome" text NOT NULL,
	"status" smallint,
	"total" integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_blocks" (
	"number" bigint PRIMARY KEY NOT NULL,
	"sealed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"event_ids" bigint[] NOT NULL,
	"last_id" bigint NOT NULL,
	"hash" text NOT NULL,
	"sealed_to" bigint NOT NULL,
	"next_sealed_to" bigint NOT NULL,
	"next_horizon" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "audit_events_at_idx" ON "audit_events" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "audit_events_actor_idx" ON "audit_events" USING btree ("actor_id","at","id");--> statement-breakpoint
CREATE INDEX "audit_events_record_ids_idx" ON "audit_events" USING gin ("record_ids");--> statement-breakpoint
CREATE INDEX "audit_events_resource_idx" ON "audit_events" USING btree ("resource","at","id") WHERE resource not in ('patients', 'profiles', 'appointments');--> statement-breakpoint
CREATE INDEX "audit_events_action_idx" ON "audit_events" USING btree ("action","at","id") WHERE action not in ('read', 'list');--> statement-breakpoint
CREATE INDEX "audit_events_outcome_idx" ON "audit_events" USING btree ("outcome","at","id") WHERE outcome in ('refused', 'failed');--> statement-breakpoint
CREATE INDEX "audit_blocks_last_id_idx" ON "audit_blocks" USING btree ("last_id");
--> statement-breakpoint
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RAISE EXCEPTION '% only takes additions', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
--> statement-breakpoint
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_blocks
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
--> statement-breakpoint
-- Writes a change, in its transaction, which says by set_config('hospital.user_id', ..., true) who makes it, and by
-- set_config('hospital.request', ..., true) for which request. What says nothing came past the API.
CREATE FUNCTION audit_change(action text, resource text, record_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  author text := nullif(current_setting('hospital.user_id', true), '');
  request json := nullif(current_setting('hospital.request', true), '')::json;
BEGIN
  INSERT INTO audit_events (at, actor, actor_id, operation, action, resource, record_ids, address, request_id, outcome)
  VALUES (
    clock_timestamp(),
    coalesce(request->>'actor', CASE author WHEN 'system' THEN 'system' ELSE 'database' END),
    nullif(author, 'system')::bigint, request->>'operation', action, resource, ARRAY[record_id], request->>'client',
    (request->>'id')::uuid, 'stored');
END $$;
--> statement-breakpoint
CREATE FUNCTION audit_record() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change(TG_ARGV[0], TG_TABLE_NAME::text, CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION audit_session() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change(TG_ARGV[0], 'sessions', CASE TG_OP WHEN 'DELETE' THEN OLD.user_id ELSE NEW.user_id END);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION audit_password_reset() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change('reset-password', 'users', NEW.user_id);
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, which has their events too: pg_dump and pg_restore have an empty search_path.
CREATE TRIGGER audit_create AFTER INSERT ON patients
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
CREATE TRIGGER audit_update AFTER UPDATE ON patients
  FOR EACH ROW WHEN (OLD.archived_at IS NOT NULL OR NEW.archived_at IS NULL) EXECUTE FUNCTION audit_record('update');
--> statement-breakpoint
CREATE TRIGGER audit_archive AFTER UPDATE ON patients
  FOR EACH ROW WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION audit_record('archive');
--> statement-breakpoint
CREATE TRIGGER audit_delete AFTER DELETE ON patients FOR EACH ROW EXECUTE FUNCTION audit_record('delete');
--> statement-breakpoint
CREATE TRIGGER audit_create AFTER INSERT ON appointments
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
CREATE TRIGGER audit_update AFTER UPDATE ON appointments
  FOR EACH ROW WHEN (OLD.archived_at IS NOT NULL OR NEW.archived_at IS NULL) EXECUTE FUNCTION audit_record('update');
--> statement-breakpoint
CREATE TRIGGER audit_archive AFTER UPDATE ON appointments
  FOR EACH ROW WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION audit_record('archive');
--> statement-breakpoint
CREATE TRIGGER audit_delete AFTER DELETE ON appointments FOR EACH ROW EXECUTE FUNCTION audit_record('delete');
--> statement-breakpoint
CREATE TRIGGER audit_create AFTER INSERT ON profiles
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
CREATE TRIGGER audit_update AFTER UPDATE ON profiles FOR EACH ROW EXECUTE FUNCTION audit_record('update');
--> statement-breakpoint
CREATE TRIGGER audit_delete AFTER DELETE ON profiles FOR EACH ROW EXECUTE FUNCTION audit_record('delete');
--> statement-breakpoint
CREATE TRIGGER audit_create AFTER INSERT ON doctors
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
CREATE TRIGGER audit_approve AFTER UPDATE ON doctors
  FOR EACH ROW WHEN (NOT OLD.is_approved AND NEW.is_approved) EXECUTE FUNCTION audit_record('approve');
--> statement-breakpoint
CREATE TRIGGER audit_disapprove AFTER UPDATE ON doctors
  FOR EACH ROW WHEN (OLD.is_approved AND NOT NEW.is_approved) EXECUTE FUNCTION audit_record('disapprove');
--> statement-breakpoint
CREATE TRIGGER audit_archive AFTER UPDATE ON doctors
  FOR EACH ROW WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION audit_record('archive');
--> statement-breakpoint
CREATE TRIGGER audit_reset AFTER INSERT OR UPDATE OF code_hash ON password_resets
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_password_reset();
--> statement-breakpoint
CREATE TRIGGER audit_create AFTER INSERT ON users
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
CREATE TRIGGER audit_create_staff AFTER INSERT ON users
  FOR EACH ROW WHEN (NEW.is_staff AND current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('grant-staff');
--> statement-breakpoint
CREATE TRIGGER audit_update AFTER UPDATE ON users FOR EACH ROW
  WHEN ((OLD.username, OLD.email, OLD.first_name, OLD.last_name) IS DISTINCT FROM
    (NEW.username, NEW.email, NEW.first_name, NEW.last_name))
  EXECUTE FUNCTION audit_record('update');
--> statement-breakpoint
CREATE TRIGGER audit_password AFTER UPDATE ON users
  FOR EACH ROW WHEN (OLD.password_hash <> NEW.password_hash) EXECUTE FUNCTION audit_record('change-password');
--> statement-breakpoint
CREATE TRIGGER audit_grant_staff AFTER UPDATE ON users
  FOR EACH ROW WHEN (NOT OLD.is_staff AND NEW.is_staff) EXECUTE FUNCTION audit_record('grant-staff');
--> statement-breakpoint
CREATE TRIGGER audit_revoke_staff AFTER UPDATE ON users
  FOR EACH ROW WHEN (OLD.is_staff AND NOT NEW.is_staff) EXECUTE FUNCTION audit_record('revoke-staff');
--> statement-breakpoint
CREATE TRIGGER audit_activate AFTER UPDATE ON users
  FOR EACH ROW WHEN (NOT OLD.is_active AND NEW.is_active) EXECUTE FUNCTION audit_record('activate');
--> statement-breakpoint
CREATE TRIGGER audit_deactivate AFTER UPDATE ON users
  FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION audit_record('deactivate');
--> statement-breakpoint
CREATE TRIGGER audit_delete AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION audit_record('delete');
--> statement-breakpoint
CREATE TRIGGER audit_open AFTER INSERT ON sessions
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_session('sign-in');
--> statement-breakpoint
CREATE TRIGGER audit_end AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION audit_session('sign-out');
--> statement-breakpoint
-- The hash of a block: of its number, the hash of the one before, and its events in their order.
CREATE FUNCTION audit_block_hash(number bigint, previous text, event_ids bigint[]) RETURNS text LANGUAGE sql STABLE
SET search_path FROM CURRENT AS $$
  SELECT encode(sha256(convert_to(concat_ws(E'\n', number, previous, (
    SELECT string_agg(json_build_array(e.id, extract(epoch FROM e.at), e.actor, e.actor_id, e.operation, e.action,
      e.resource, e.record_ids, e.address, e.request_id, e.outcome, e.status, e.total)::text, E'\n' ORDER BY place)
    FROM unnest(event_ids) WITH ORDINALITY AS listed (id, place) JOIN audit_events AS e ON e.id = listed.id
  )), 'UTF8')), 'hex')
$$;
--> statement-breakpoint
-- Ties what is there and in no block yet to the chain, as one block; tells how many events. One at a time: writers of
-- events wait for nobody. An event may become visible after others with higher ids are sealed: so what is looked through
-- begins where all transactions that could add to it have ended. A horizon that this server has not reached is another
-- server's, of which this is a restored copy.
CREATE FUNCTION seal_audit_events(most integer) RETURNS integer LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  before audit_blocks;
  start bigint;
  upto bigint;
  ids bigint[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('seal_audit_events'));
  SELECT * INTO before FROM audit_blocks ORDER BY number DESC LIMIT 1;
  start := coalesce(before.sealed_to, 0);
  upto := CASE WHEN before.next_horizon <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      OR before.next_horizon > pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    THEN before.next_sealed_to ELSE start END;
  SELECT array_agg(id ORDER BY id) INTO ids FROM (
    SELECT id FROM audit_events
    WHERE id > start AND id NOT IN (SELECT unnest(event_ids) FROM audit_blocks WHERE last_id > start)
    ORDER BY id LIMIT most
  ) AS pending;
  IF ids IS NULL THEN
    RETURN 0;
  END IF;
  -- More may be left behind the last of as many as were asked for.
  upto := CASE WHEN cardinality(ids) < most THEN upto ELSE least(upto, ids[most]) END;
  INSERT INTO audit_blocks (number, event_ids, last_id, hash, sealed_to, next_sealed_to, next_horizon)
  VALUES (
    coalesce(before.number, 0) + 1, ids, ids[cardinality(ids)],
    audit_block_hash(coalesce(before.number, 0) + 1, before.hash, ids), coalesce(upto, 0),
    CASE WHEN upto < before.next_sealed_to THEN before.next_sealed_to ELSE greatest(upto, ids[cardinality(ids)]) END,
    CASE WHEN upto < before.next_sealed_to THEN before.next_horizon
      ELSE pg_snapshot_xmax(pg_current_snapshot())::text::bigint END);
  RETURN cardinality(ids);
END $$;
