-- Periods become what the clinic's clock shows: instants are right only as long as the zone and its rules stay. The zone
-- is that of whoever migrates.
ALTER TABLE "appointments" DROP CONSTRAINT "appointments_doctor_period_excl";--> statement-breakpoint
ALTER TABLE "appointments" DROP CONSTRAINT "appointments_patient_period_excl";--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "period" SET DATA TYPE tsrange USING CASE WHEN "period" IS NOT NULL THEN tsrange(
  lower("period") AT TIME ZONE coalesce(nullif(current_setting('hospital.time_zone', true), ''), 'UTC'),
  upper("period") AT TIME ZONE coalesce(nullif(current_setting('hospital.time_zone', true), ''), 'UTC')) END;
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_doctor_period_excl"
  EXCLUDE USING gist ("doctor_id" WITH =, "period" WITH &&) WHERE (NOT "is_cancelled" AND "archived_at" IS NULL);
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_patient_period_excl"
  EXCLUDE USING gist ("patient_id" WITH =, "period" WITH &&) WHERE (NOT "is_cancelled" AND "archived_at" IS NULL);
--> statement-breakpoint
DROP FUNCTION slot_period(date, integer, integer, text);
--> statement-breakpoint
-- What the clock shows while a slot passes: to the end that its label says, or for as long as the label says where the
-- clocks go forward over it. So two slots are apart only if they are both by their labels and as they pass.
CREATE FUNCTION slot_period(day date, start_minute integer, end_minute integer, zone text) RETURNS tsrange
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN slot_start(day, start_minute, zone) IS NOT NULL THEN tsrange(day + make_interval(mins => start_minute),
    greatest(day + make_interval(mins => end_minute),
      (slot_start(day, start_minute, zone) + make_interval(mins => end_minute - start_minute)) AT TIME ZONE zone)) END
$$;
--> statement-breakpoint
ALTER TABLE "doctors" ADD COLUMN "is_active" boolean DEFAULT true NOT NULL;--> statement-breakpoint
UPDATE doctors SET is_active = false FROM users WHERE users.id = user_id AND NOT users.is_active;--> statement-breakpoint
DROP INDEX "doctors_live_idx";--> statement-breakpoint
CREATE INDEX "doctors_live_idx" ON "doctors" USING btree ("id") WHERE archived_at is null and is_active;--> statement-breakpoint
CREATE FUNCTION inherit_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- The lock keeps the user as it is until the doctor is there for copy_activity to find.
  NEW.is_active := (SELECT is_active FROM users WHERE id = NEW.user_id FOR SHARE);
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER inherit_activity BEFORE INSERT ON doctors FOR EACH ROW EXECUTE FUNCTION inherit_activity();
--> statement-breakpoint
CREATE FUNCTION copy_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE doctors SET is_active = NEW.is_active WHERE user_id = NEW.id AND is_active <> NEW.is_active;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER copy_activity AFTER UPDATE OF is_active ON users FOR EACH ROW EXECUTE FUNCTION copy_activity();
