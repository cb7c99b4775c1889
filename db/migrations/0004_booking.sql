-- Equality of ids and overlap of periods in one index.
CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
ALTER TABLE appointments ADD CONSTRAINT appointments_doctor_period_excl
  EXCLUDE USING gist (doctor_id WITH =, period WITH &&) WHERE (NOT is_cancelled AND archived_at IS NULL);
--> statement-breakpoint
ALTER TABLE appointments ADD CONSTRAINT appointments_patient_period_excl
  EXCLUDE USING gist (patient_id WITH =, period WITH &&) WHERE (NOT is_cancelled AND archived_at IS NULL);
--> statement-breakpoint
CREATE TRIGGER track_picture AFTER INSERT OR DELETE OR UPDATE OF picture ON services
  FOR EACH ROW EXECUTE FUNCTION track_picture();
--> statement-breakpoint
-- When a slot starts on a day at the clinic. Null where the day has no such time: the clocks go forward over it. Where
-- they go back over it, it is the second of the two.
CREATE FUNCTION slot_start(day date, start_minute integer, zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN (day + make_interval(mins => start_minute)) AT TIME ZONE zone AT TIME ZONE zone
      = day + make_interval(mins => start_minute)
    THEN (day + make_interval(mins => start_minute)) AT TIME ZONE zone END
$$;
--> statement-breakpoint
-- The slot as it passes: as long as its label says, whatever the clocks do meanwhile.
CREATE FUNCTION slot_period(day date, start_minute integer, end_minute integer, zone text) RETURNS tstzrange
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN slot_start(day, start_minute, zone) IS NOT NULL THEN tstzrange(slot_start(day, start_minute, zone),
    slot_start(day, start_minute, zone) + make_interval(mins => end_minute - start_minute)) END
$$;
--> statement-breakpoint
-- The transaction says who changes by set_config('hospital.user_id', ..., true).
CREATE FUNCTION record_appointment_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO appointment_changes (appointment_id, changed_at, changed_by, field, before, after)
  SELECT NEW.id, clock_timestamp(), nullif(current_setting('hospital.user_id', true), '')::bigint, field, before, after
  FROM (VALUES
    ('doctor', OLD.doctor_id::text, NEW.doctor_id::text),
    ('date', OLD.date::text, NEW.date::text),
    ('time', OLD.available_time_id::text, NEW.available_time_id::text),
    ('status', OLD.status::text, NEW.status::text),
    ('cancelled', OLD.is_cancelled::text, NEW.is_cancelled::text)
  ) AS change (field, before, after)
  WHERE before <> after;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER record_appointment_changes
  AFTER UPDATE OF doctor_id, date, available_time_id, status, is_cancelled ON appointments
  FOR EACH ROW EXECUTE FUNCTION record_appointment_changes();
