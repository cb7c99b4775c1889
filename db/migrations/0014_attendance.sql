CREATE TYPE "public"."attendance" AS ENUM('arrived', 'no_show');--> statement-breakpoint
CREATE TYPE "public"."cancel_code" AS ENUM('patient', 'doctor', 'clinic', 'no_contact', 'other');--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "cancel_code" "cancel_code";--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "cancel_text" varchar(500);--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "attendance" "attendance";--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_cancel_reason_check" CHECK ((cancel_code is null) = (cancel_text is null) and (cancel_code is null or is_cancelled));--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_attendance_check" CHECK (attendance is null or (not is_cancelled and (attendance = 'arrived' or status = 'pending')));--> statement-breakpoint
-- Who writes: the transaction says so by set_config('hospital.user_id', ..., true), the id of a user, or `system`.
CREATE FUNCTION author_of_changes() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE author text := nullif(current_setting('hospital.user_id', true), '');
BEGIN
  IF author IS NULL THEN
    RAISE EXCEPTION 'an appointment changes without an author'
      USING HINT = 'Set hospital.user_id to the id of a user, or to system.';
  END IF;
  RETURN nullif(author, 'system')::bigint;
END $$;
--> statement-breakpoint
-- Of one statement's changes that of the patient comes last: what is before it was of another one.
CREATE OR REPLACE FUNCTION record_appointment_changes() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO appointment_changes (appointment_id, changed_at, changed_by, field, before, after)
      VALUES (NEW.id, NEW.created_at, author_of_changes(), 'created', 'false', 'true');
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
    cancel_text, attendance, archived_at ON appointments
  FOR EACH ROW EXECUTE FUNCTION record_appointment_changes();
--> statement-breakpoint
-- Not of rows that a backup brings, which has their history too.
CREATE TRIGGER record_appointment AFTER INSERT ON appointments FOR EACH ROW
  WHEN (nullif(current_setting('hospital.user_id', true), '') IS NOT NULL)
  EXECUTE FUNCTION record_appointment_changes();
