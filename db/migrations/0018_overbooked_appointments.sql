DROP INDEX "appointments_doctor_label_key";--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "is_overbooked" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "appointments_doctor_label_key" ON "appointments" USING btree ("doctor_id","date","available_time_id",nullif(is_overbooked::int, 1)) WHERE period is null and not is_cancelled and archived_at is null;--> statement-breakpoint
-- What is overbooked stays in the index, which finds all of a doctor's live appointments, and conflicts with nothing in it.
ALTER TABLE "appointments" DROP CONSTRAINT "appointments_doctor_period_excl";--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_doctor_period_excl"
  EXCLUDE USING gist ("doctor_id" WITH =, "period" WITH &&, (nullif("is_overbooked"::int, 1)) WITH =)
  WHERE (NOT "is_cancelled" AND "archived_at" IS NULL);
--> statement-breakpoint
-- Nothing else may be booked over what is overbooked, while what it was booked over stays. The constraints can not tell
-- the two apart, so this looks when a row takes its time. What another transaction has not committed yet comes after.
CREATE FUNCTION refuse_over_overbooked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  -- Each by the index that has them.
  IF NEW.period IS NOT NULL THEN
    PERFORM FROM appointments AS other
      WHERE other.doctor_id = NEW.doctor_id AND other.period && NEW.period
        AND other.is_overbooked AND NOT other.is_cancelled AND other.archived_at IS NULL AND other.id <> NEW.id;
  ELSE
    PERFORM FROM appointments AS other
      WHERE other.doctor_id = NEW.doctor_id AND other.date = NEW.date AND other.available_time_id = NEW.available_time_id
        AND other.period IS NULL
        AND other.is_overbooked AND NOT other.is_cancelled AND other.archived_at IS NULL AND other.id <> NEW.id;
  END IF;
  IF FOUND THEN
    RAISE EXCEPTION 'an overbooked appointment of the doctor has this time'
      USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'appointments_doctor_period_excl', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, in any order: pg_dump and pg_restore have an empty search_path, and nobody else has.
CREATE TRIGGER refuse_over_overbooked_when_made BEFORE INSERT ON appointments FOR EACH ROW
  WHEN (NOT NEW.is_overbooked AND NOT NEW.is_cancelled AND NEW.archived_at IS NULL AND current_setting('search_path') <> '')
  EXECUTE FUNCTION refuse_over_overbooked();
--> statement-breakpoint
CREATE TRIGGER refuse_over_overbooked BEFORE UPDATE OF doctor_id, date, available_time_id, is_cancelled, archived_at,
    is_overbooked ON appointments FOR EACH ROW
  WHEN (NOT NEW.is_overbooked AND NOT NEW.is_cancelled AND NEW.archived_at IS NULL AND (
    OLD.is_overbooked OR OLD.is_cancelled OR OLD.archived_at IS NOT NULL
    OR OLD.doctor_id <> NEW.doctor_id OR OLD.date <> NEW.date OR OLD.available_time_id <> NEW.available_time_id))
  EXECUTE FUNCTION refuse_over_overbooked();
--> statement-breakpoint
-- Of what is made it is told first that it was made. Of one statement's changes that of the patient comes last: what is
-- before it was of another one.
CREATE OR REPLACE FUNCTION record_appointment_changes() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO appointment_changes (appointment_id, changed_at, changed_by, field, before, after)
    SELECT NEW.id, NEW.created_at, author_of_changes(), field, 'false', 'true'
    FROM (VALUES ('created', true), ('overbooked', NEW.is_overbooked)) AS event (field, is_so) WHERE is_so;
    RETURN NULL;
  END IF;
  INSERT INTO appointment_changes (appointment_id, changed_at, changed_by, field, before, after)
  SELECT NEW.id, clock_timestamp(), author_of_changes(), field, before, after
  FROM (VALUES
    ('doctor', OLD.doctor_id::text, NEW.doctor_id::text),
    ('date', OLD.date::text, NEW.date::text),
    ('time', OLD.available_time_id::text, NEW.available_time_id::text),
    ('type', OLD.type::text, NEW.type::text),
    ('status', OLD.status::text, NEW.status::text),
    ('symptoms', OLD.symptoms, NEW.symptoms),
    ('cancelled', OLD.is_cancelled::text, NEW.is_cancelled::text),
    ('cancel_reason', concat_ws(': ', OLD.cancel_code::text, nullif(OLD.cancel_text, '')),
      concat_ws(': ', NEW.cancel_code::text, nullif(NEW.cancel_text, ''))),
    ('attendance', coalesce(OLD.attendance::text, ''), coalesce(NEW.attendance::text, '')),
    ('overbooked', OLD.is_overbooked::text, NEW.is_overbooked::text),
    ('archived', (OLD.archived_at IS NOT NULL)::text, (NEW.archived_at IS NOT NULL)::text),
    ('patient', OLD.patient_id::text, NEW.patient_id::text)
  ) AS change (field, before, after)
  WHERE before <> after;
  RETURN NULL;
END $$;
--> statement-breakpoint
DROP TRIGGER record_appointment_changes ON appointments;
--> statement-breakpoint
CREATE TRIGGER record_appointment_changes
  AFTER UPDATE OF patient_id, doctor_id, date, available_time_id, type, status, symptoms, is_cancelled, cancel_code,
    cancel_text, attendance, is_overbooked, archived_at ON appointments
  FOR EACH ROW EXECUTE FUNCTION record_appointment_changes();
--> statement-breakpoint
-- Overbooking goes past what is held, too.
DROP TRIGGER refuse_held_time_of_new ON appointments;
--> statement-breakpoint
CREATE TRIGGER refuse_held_time_of_new BEFORE INSERT ON appointments
  FOR EACH ROW WHEN (NOT NEW.is_overbooked AND NOT NEW.is_cancelled AND NEW.archived_at IS NULL)
  EXECUTE FUNCTION refuse_held_time();
--> statement-breakpoint
DROP TRIGGER refuse_held_time_of_moved ON appointments;
--> statement-breakpoint
CREATE TRIGGER refuse_held_time_of_moved
  BEFORE UPDATE OF doctor_id, date, available_time_id, period, is_cancelled, archived_at, is_overbooked ON appointments
  FOR EACH ROW WHEN (NOT NEW.is_overbooked AND NOT NEW.is_cancelled AND NEW.archived_at IS NULL AND (
    OLD.is_overbooked OR OLD.is_cancelled OR OLD.archived_at IS NOT NULL
    OR (OLD.doctor_id, OLD.date, OLD.available_time_id, OLD.period)
      IS DISTINCT FROM (NEW.doctor_id, NEW.date, NEW.available_time_id, NEW.period)))
  EXECUTE FUNCTION refuse_held_time();
