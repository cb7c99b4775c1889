CREATE TABLE "service_keys" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "service_keys_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(50) NOT NULL,
	"folded_name" text GENERATED ALWAYS AS (folded(name)) STORED NOT NULL,
	"scopes" text[] NOT NULL,
	"limit_per_minute" integer,
	"expires_at" timestamp with time zone,
	"secret_hash" char(64) NOT NULL,
	"old_secret_hash" char(64),
	"old_secret_ends_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint NOT NULL,
	"archived_at" timestamp with time zone,
	"archived_by" bigint,
	CONSTRAINT "service_keys_old_secret_check" CHECK ((old_secret_hash is null) = (old_secret_ends_at is null))
);
--> statement-breakpoint
ALTER TABLE "idempotency_keys" DROP CONSTRAINT "idempotency_keys_user_id_key_pk";--> statement-breakpoint
ALTER TABLE "idempotency_keys" ALTER COLUMN "user_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "appointment_changes" ADD COLUMN "changed_by_service" bigint DEFAULT substring(current_setting('hospital.user_id', true) from '^service:(\d+)$')::bigint;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD COLUMN "service_key_id" bigint;--> statement-breakpoint
ALTER TABLE "service_keys" ADD CONSTRAINT "service_keys_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "service_keys" ADD CONSTRAINT "service_keys_archived_by_users_id_fk" FOREIGN KEY ("archived_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "service_keys_name_key" ON "service_keys" USING btree ("folded_name") WHERE archived_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "service_keys_secret_hash_key" ON "service_keys" USING btree ("secret_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "service_keys_old_secret_hash_key" ON "service_keys" USING btree ("old_secret_hash");--> statement-breakpoint
CREATE INDEX "service_keys_created_by_idx" ON "service_keys" USING btree ("created_by");--> statement-breakpoint
CREATE INDEX "service_keys_archived_by_idx" ON "service_keys" USING btree ("archived_by");--> statement-breakpoint
ALTER TABLE "appointment_changes" ADD CONSTRAINT "appointment_changes_changed_by_service_service_keys_id_fk" FOREIGN KEY ("changed_by_service") REFERENCES "public"."service_keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_service_key_id_service_keys_id_fk" FOREIGN KEY ("service_key_id") REFERENCES "public"."service_keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "appointment_changes_changed_by_service_idx" ON "appointment_changes" USING btree ("changed_by_service") WHERE changed_by_service is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "idempotency_keys_user_key" ON "idempotency_keys" USING btree ("user_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "idempotency_keys_service_key" ON "idempotency_keys" USING btree ("service_key_id","key");--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_holder_check" CHECK (num_nonnulls(user_id, service_key_id) = 1);--> statement-breakpoint
-- Who writes is the id of a user, `service:` and the id of its key, or `system`.
CREATE OR REPLACE FUNCTION author_of_changes() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE author text := nullif(current_setting('hospital.user_id', true), '');
BEGIN
  IF author IS NULL THEN
    RAISE EXCEPTION 'an appointment changes without an author'
      USING HINT = 'Set hospital.user_id to the id of a user, to service: and the id of a key, or to system.';
  END IF;
  RETURN CASE WHEN author = 'system' OR author LIKE 'service:%' THEN NULL ELSE author END::bigint;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION audit_change(action text, resource text, record_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  author text := nullif(current_setting('hospital.user_id', true), '');
  request json := nullif(current_setting('hospital.request', true), '')::json;
BEGIN
  INSERT INTO audit_events (at, actor, actor_id, operation, action, resource, record_ids, address, request_id, outcome)
  VALUES (
    clock_timestamp(),
    coalesce(request->>'actor', CASE author WHEN 'system' THEN 'system' ELSE 'database' END),
    replace(nullif(author, 'system'), 'service:', '')::bigint, request->>'operation', action, resource, ARRAY[record_id],
    request->>'client', (request->>'id')::uuid, 'stored');
END $$;
--> statement-breakpoint
-- Resources have their names from their paths.
CREATE OR REPLACE FUNCTION audit_record() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change(
    TG_ARGV[0], replace(TG_TABLE_NAME, '_', '-'), CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_create AFTER INSERT ON service_keys
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_record('create');
--> statement-breakpoint
-- Not of its use, which is noted there too.
CREATE TRIGGER audit_update AFTER UPDATE ON service_keys FOR EACH ROW
  WHEN ((OLD.name, OLD.scopes, OLD.limit_per_minute, OLD.expires_at) IS DISTINCT FROM
    (NEW.name, NEW.scopes, NEW.limit_per_minute, NEW.expires_at))
  EXECUTE FUNCTION audit_record('update');
--> statement-breakpoint
CREATE TRIGGER audit_rotate AFTER UPDATE ON service_keys
  FOR EACH ROW WHEN (OLD.secret_hash <> NEW.secret_hash) EXECUTE FUNCTION audit_record('rotate');
--> statement-breakpoint
CREATE TRIGGER audit_revoke AFTER UPDATE ON service_keys
  FOR EACH ROW WHEN (OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL) EXECUTE FUNCTION audit_record('revoke');
--> statement-breakpoint
CREATE TRIGGER audit_delete AFTER DELETE ON service_keys FOR EACH ROW EXECUTE FUNCTION audit_record('delete');
