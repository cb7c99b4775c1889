CREATE TABLE "erasures" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "erasures_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"patient_id" bigint NOT NULL,
	"user_id" bigint,
	"reason" varchar(500) NOT NULL,
	"erased_at" timestamp with time zone DEFAULT now() NOT NULL,
	"erased_by" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "erased_at" timestamp with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "erasures_patient_id_key" ON "erasures" USING btree ("patient_id");--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_erased_check" CHECK (erased_at is null or not (is_active or is_staff));--> statement-breakpoint
CREATE FUNCTION audit_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change('erase', 'patients', NEW.patient_id);
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, which has their events too: pg_dump and pg_restore have an empty search_path.
CREATE TRIGGER audit_erase AFTER INSERT ON erasures
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_erasure();
--> statement-breakpoint
-- Of a user who is erased, nothing comes any more from requests that were under way: they wait for the erasure, which
-- locks the user, and are told to try again, which finds them signed out.
CREATE FUNCTION refuse_for_erased_user() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  erased timestamptz;
BEGIN
  SELECT erased_at INTO erased FROM users WHERE id = NEW.user_id FOR KEY SHARE;
  IF erased IS NOT NULL THEN
    RAISE EXCEPTION 'the user was erased' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON profiles
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON patients
  FOR EACH ROW WHEN (NEW.user_id IS NOT NULL AND current_setting('search_path') <> '')
  EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON doctors
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON contacts
  FOR EACH ROW WHEN (NEW.user_id IS NOT NULL AND current_setting('search_path') <> '')
  EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON holds
  FOR EACH ROW WHEN (NEW.user_id IS NOT NULL AND current_setting('search_path') <> '')
  EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON sessions
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON password_resets
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON idempotency_keys
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON totps
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
